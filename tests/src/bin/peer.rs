//! A process that makes connections, of every kind that the tests need.
//!
//! Preparations come first (`--netns PATH`, `--cgroup DIRECTORY`, `--login UID`, `--uid UID`,
//! `--name NAME`), then a verb. What the test has to know is printed, a line each; a verb that waits
//! does so until its standard input ends.
use std::{
    ffi::CString,
    fs::File,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, setns},
    sys::{
        prctl,
        socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, getsockopt,
            listen, setsockopt, socket, sockopt,
        },
    },
    unistd::{ForkResult, Gid, Uid, fork, setresgid, setresuid},
};

fn main() -> anyhow::Result<()> {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into()).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(flag) = words.next_if(|word| word.starts_with("--")) {
        let value = words.next().context("a flag without a value")?;
        prepare(flag, value)?;
    }
    let verb = words.next().context("no verb")?;
    let rest: Vec<&str> = words.collect();
    act(verb, &rest)
}

fn prepare(flag: &str, value: &str) -> anyhow::Result<()> {
    match flag {
        "--netns" => setns(File::open(value)?, CloneFlags::CLONE_NEWNET)?,
        "--cgroup" => std::fs::write(format!("{value}/cgroup.procs"), "0")?,
        "--login" => std::fs::write("/proc/self/loginuid", value)?,
        "--uid" => {
            let (uid, gid) = (Uid::from_raw(value.parse()?), Gid::from_raw(value.parse()?));
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
        }
        "--name" => {
            let numbers = value.split(',').filter(|number| !number.is_empty());
            let bytes: Vec<u8> = numbers.map(str::parse).collect::<Result<_, _>>()?;
            prctl::set_name(&CString::new(bytes)?)?;
        }
        other => bail!("unknown flag {other}"),
    }
    Ok(())
}

fn act(verb: &str, rest: &[&str]) -> anyhow::Result<()> {
    let number = |at: usize| -> anyhow::Result<usize> {
        Ok(rest.get(at).context("a number is missing")?.parse()?)
    };
    let address = || -> anyhow::Result<SocketAddr> {
        Ok(rest.first().context("an address is missing")?.parse()?)
    };
    match verb {
        "serve" => serve(address()?, number(1)?, number(2)?, number(3)?),
        "connect" => exchange(&stream(address()?)?, number(1)?, number(2)?),
        "mapped" => mapped(address()?),
        "reset" => reset(address()?),
        "serve-reset" => serve_reset(address()?),
        "unread" => unread(address()?),
        "half-close" => half_close(address()?),
        "refused" => fails(address()?),
        "give-up" => give_up(address()?, number(1)?),
        "nonblocking" => nonblocking(address()?),
        "full" => full(address()?),
        "never-accept" => never_accept(address()?),
        "hold" => hold(address()?),
        "listen-twice" => listen_twice(),
        "listen-unbound" => listen_unbound(),
        "no-local-port" => no_local_port(address()?),
        "waiting" => waiting(address()?, number(1)?),
        "flood" => flood(address()?, number(1)?),
        "absorb" => absorb(address()?),
        "fork-connect" => fork_connect(address()?),
        "fork-close" => fork_close(address()?),
        "exec" => exec(rest),
        "orphan" => orphan(rest),
        "threads" => threads(address()?),
        "guard" => guard(number(0)?),
        other => bail!("unknown verb {other}"),
    }
}

/// Tells the test something.
fn say(line: impl std::fmt::Display) {
    let mut stdout = std::io::stdout();
    // Nobody to tell if the test is gone.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Waits until the test closes our standard input.
fn wait() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn stream(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    say(stream.local_addr()?.port());
    Ok(stream)
}

fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    say(listener.local_addr()?.port());
    Ok(listener)
}

/// Sends and receives so many bytes.
fn exchange(mut stream: &TcpStream, send: usize, receive: usize) -> anyhow::Result<()> {
    stream.write_all(&vec![b'>'; send])?;
    stream.read_exact(&mut vec![0; receive])?;
    Ok(())
}

/// Accepts `count` connections, one after the other, and on each receives and sends so many bytes.
/// The other side closes first.
fn serve(address: SocketAddr, count: usize, receive: usize, send: usize) -> anyhow::Result<()> {
    let listener = listener(address)?;
    for _ in 0..count {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut vec![0; receive])?;
        stream.write_all(&vec![b'<'; send])?;
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}

/// Talks IPv4 through an IPv6 socket.
fn mapped(address: SocketAddr) -> anyhow::Result<()> {
    let SocketAddr::V4(v4) = address else {
        bail!("not an IPv4 address");
    };
    exchange(
        &stream((v4.ip().to_ipv6_mapped(), v4.port()).into())?,
        10,
        10,
    )
}

/// Throws a connection away.
fn reset(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    exchange(&stream, 10, 10)?;
    linger_zero(&stream)
}

fn linger_zero(stream: &TcpStream) -> anyhow::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, sockopt::Linger, &linger)?;
    Ok(())
}

/// Accepts one connection, talks, and throws it away; the other side waits.
fn serve_reset(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    let (stream, _) = listener.accept()?;
    exchange(&stream, 10, 10)?;
    linger_zero(&stream)
}

/// Closes with data unread.
fn unread(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    exchange(&stream, 10, 0)?;
    stream.peek(&mut [0])?;
    Ok(())
}

/// Says that it is done and still reads.
fn half_close(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = stream(address)?;
    exchange(&stream, 10, 10)?;
    // Fails if the other side has thrown the connection away meanwhile.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read(&mut [0]);
    Ok(())
}

/// Fails to connect, and says with which error.
fn fails(address: SocketAddr) -> anyhow::Result<()> {
    match TcpStream::connect(address) {
        Ok(_) => bail!("connected"),
        Err(error) => say(error.raw_os_error().unwrap_or(0)),
    }
    Ok(())
}

/// Waits for a connection so many milliseconds and then gives up.
fn give_up(address: SocketAddr, milliseconds: usize) -> anyhow::Result<()> {
    let timeout = Duration::from_millis(u64::try_from(milliseconds)?);
    match TcpStream::connect_timeout(&address, timeout) {
        Ok(_) => bail!("connected"),
        Err(_) => Ok(()),
    }
}

fn tcp_socket(address: SocketAddr, flags: SockFlag) -> anyhow::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    Ok(socket(family, SockType::Stream, flags, None)?)
}

/// Connects without waiting: nothing may be established before the other side answers.
fn nonblocking(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::SOCK_NONBLOCK)?;
    let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
    ensure!(
        result == Err(Errno::EINPROGRESS),
        "connect answered {result:?}"
    );
    say("in progress");
    wait();
    say(getsockopt(&socket, sockopt::SocketError)?);
    Ok(())
}

/// Listens and accepts nothing, with a queue that is full, so that whoever connects hears nothing.
fn full(address: SocketAddr) -> anyhow::Result<()> {
    let socket = tcp_socket(address, SockFlag::empty())?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(0)?)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    // One connection fits into a queue of length zero.
    let first = TcpStream::connect(address)?;
    say(address.port());
    wait();
    drop(first);
    Ok(())
}

/// Listens and accepts nothing.
fn never_accept(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    wait();
    drop(listener);
    Ok(())
}

/// Connects and keeps the connection.
fn hold(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    wait();
    drop(stream);
    Ok(())
}

/// A second socket may be bound to the port of a listener, but cannot listen on it.
fn listen_twice() -> anyhow::Result<()> {
    let address: SocketAddr = "127.0.0.1:0".parse()?;
    let sockets: Vec<OwnedFd> = (0..2)
        .map(|_| {
            let socket = tcp_socket(address, SockFlag::empty())?;
            setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            Ok(socket)
        })
        .collect::<anyhow::Result<_>>()?;
    let [first, second] = sockets.as_slice() else {
        bail!("two sockets");
    };
    bind(first.as_raw_fd(), &SockaddrStorage::from(address))?;
    let listener = TcpListener::from(first.try_clone()?);
    let address = listener.local_addr()?;
    bind(second.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(first, Backlog::new(1)?)?;
    let result = listen(second, Backlog::new(1)?);
    ensure!(
        result == Err(Errno::EADDRINUSE),
        "listen answered {result:?}"
    );
    say(address.port());
    Ok(())
}

/// Listens without binding: the kernel chooses the port.
fn listen_unbound() -> anyhow::Result<()> {
    let socket = tcp_socket("0.0.0.0:0".parse()?, SockFlag::empty())?;
    listen(&socket, Backlog::new(1)?)?;
    say(TcpListener::from(socket).local_addr()?.port());
    Ok(())
}

/// Binds to the address it connects to, port included, while another socket has that pair.
fn no_local_port(address: SocketAddr) -> anyhow::Result<()> {
    let local: SocketAddr = "127.0.0.1:0".parse()?;
    let mut port = 0;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let socket = tcp_socket(address, SockFlag::empty())?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        let from = SocketAddr::new(local.ip(), port);
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
        let result = connect(socket.as_raw_fd(), &SockaddrStorage::from(address));
        if port == 0 {
            result?;
        } else {
            ensure!(
                result == Err(Errno::EADDRNOTAVAIL),
                "connect answered {result:?}"
            );
        }
        let stream = TcpStream::from(socket);
        port = stream.local_addr()?.port();
        sockets.push(stream);
    }
    say(port);
    Ok(())
}

/// So many threads wait in accept before the test goes on; each takes one connection.
fn waiting(address: SocketAddr, threads: usize) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)?;
    let port = listener.local_addr()?.port();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| listener.accept().map(drop)))
            .collect();
        while !all_wait_in_accept()? {
            std::thread::yield_now();
        }
        say(port);
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread"))??;
        }
        Ok(())
    })
}

/// Whether all threads but this one sleep in accept (system calls 43 and 288).
fn all_wait_in_accept() -> anyhow::Result<bool> {
    let own = nix::unistd::gettid().to_string();
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_string_lossy() == own {
            continue;
        }
        let call = std::fs::read_to_string(task.path().join("syscall"))?;
        if !call.starts_with("43 ") && !call.starts_with("288 ") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes many short connections.
fn flood(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"x")?;
        // The other side closes first, so that the ports here do not run out.
        let _ = stream.read(&mut [0])?;
    }
    Ok(())
}

/// Takes many short connections, until its standard input ends.
fn absorb(address: SocketAddr) -> anyhow::Result<()> {
    let listener = listener(address)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0]);
        }
    });
    wait();
    Ok(())
}

/// A child connects and dies at once.
fn fork_connect(address: SocketAddr) -> anyhow::Result<()> {
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let stream = stream(address)?;
            exchange(&stream, 10, 10)?;
            std::process::exit(0);
        }
        ForkResult::Parent { child } => {
            say(child);
            nix::sys::wait::waitpid(child, None)?;
        }
    }
    Ok(())
}

/// Connects, and a child that inherited the connection closes it when the parent is gone.
fn fork_close(address: SocketAddr) -> anyhow::Result<()> {
    let stream = stream(address)?;
    let parent = nix::unistd::getpid();
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            wait();
            wait_for_end_of(parent);
            exchange(&stream, 10, 10)?;
            drop(stream);
            Ok(())
        }
        ForkResult::Parent { child } => {
            say(child);
            std::process::exit(0);
        }
    }
}

/// Connects, then becomes another program (this one, with other arguments) that inherits the
/// connection and closes it.
fn exec(rest: &[&str]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;

    match rest {
        ["inherited", descriptor] => {
            // SAFETY: the program before left this descriptor open for us.
            let stream = unsafe { TcpStream::from_raw_fd(descriptor.parse()?) };
            exchange(&stream, 10, 10)
        }
        [address] => {
            let stream = stream(address.parse()?)?;
            let copy = nix::unistd::dup(stream.as_fd())?;
            nix::fcntl::fcntl(
                &copy,
                nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
            )?;
            drop(stream);
            let error = std::process::Command::new("/proc/self/exe")
                .args(["exec", "inherited", &copy.as_raw_fd().to_string()])
                .exec();
            Err(error.into())
        }
        _ => bail!("exec ADDRESS"),
    }
}

/// Starts itself with the rest for arguments, and is gone before that one acts.
fn orphan(rest: &[&str]) -> anyhow::Result<()> {
    let parent = nix::unistd::getpid();
    // SAFETY: there is one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            use std::os::unix::process::CommandExt as _;

            wait_for_end_of(parent);
            let error = std::process::Command::new("/proc/self/exe")
                .args(rest)
                .exec();
            Err(error.into())
        }
        ForkResult::Parent { .. } => std::process::exit(0),
    }
}

fn wait_for_end_of(parent: nix::unistd::Pid) {
    while nix::unistd::getppid() == parent {
        std::thread::yield_now();
    }
}

/// Kills a process when the test that started both is gone.
fn guard(pid: usize) -> anyhow::Result<()> {
    wait();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
    // It may have ended as it should.
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    Ok(())
}

/// Connects from a thread with a name of its own.
fn threads(address: SocketAddr) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || -> anyhow::Result<()> {
            say(nix::unistd::gettid());
            exchange(&stream(address)?, 10, 10)
        })?;
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the thread panicked"))?
}
