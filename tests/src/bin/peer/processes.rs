//! Sockets that go from one process to another, and processes that end.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _},
    path::Path,
};

use anyhow::bail;
use nix::unistd::{ForkResult, fork};

use crate::{
    say,
    talking::{exchange, stream},
    wait,
};

/// A child connects and dies at once.
pub fn fork_connect(address: SocketAddr) -> anyhow::Result<()> {
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
pub fn fork_close(address: SocketAddr) -> anyhow::Result<()> {
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

/// Makes a copy of this program that can be executed at once. While one thread of a process writes a file, a child that
/// another forks has it open for writing, too, and what is open for writing cannot be executed; here nobody forks.
pub fn copy_itself(copy: &str) -> anyhow::Result<()> {
    std::fs::copy("/proc/self/exe", copy)?;
    Ok(())
}

/// Goes on as a copy of this program, which is removed once it runs.
pub fn vanish(copy: &str) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;

    if std::fs::read_link("/proc/self/exe")? == Path::new(copy) {
        return Ok(std::fs::remove_file(copy)?);
    }
    std::fs::copy("/proc/self/exe", copy)?;
    let mut command = std::process::Command::new(copy);
    Err(command.args(std::env::args_os().skip(1)).exec().into())
}

/// Connects, then becomes another program (this one, with other arguments) that inherits the
/// connection and closes it.
pub fn exec(rest: &[&str]) -> anyhow::Result<()> {
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
pub fn orphan(rest: &[&str]) -> anyhow::Result<()> {
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

pub fn wait_for_end_of(parent: nix::unistd::Pid) {
    while nix::unistd::getppid() == parent {
        std::thread::yield_now();
    }
}

/// Kills a process when the test that started both is gone.
pub fn guard(pid: usize) -> anyhow::Result<()> {
    wait();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
    // It may have ended as it should.
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    Ok(())
}
