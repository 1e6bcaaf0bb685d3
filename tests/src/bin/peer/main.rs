//! A process that makes connections, of every kind that the tests need.
//!
//! Preparations come first (`--netns PATH`, `--cgroup DIRECTORY`, `--login UID`, `--uid UID`,
//! `--name NAME`, `--vanish COPY`), then a verb. What the test has to know is printed, a line each; a verb that waits
//! does so until its standard input ends.

mod attempts;
mod datagrams;
mod endings;
mod fast_open;
mod handing;
mod keeping;
mod listeners;
mod looking;
mod multipath;
mod names;
mod narrow;
mod netlink;
mod processes;
mod sockets;
mod talking;
mod uring;

use std::{
    ffi::CString,
    fs::File,
    io::{Read as _, Write as _},
    net::SocketAddr,
};

use anyhow::{Context as _, bail};
use nix::{
    sched::{CloneFlags, setns},
    sys::prctl,
    unistd::{Gid, Uid, chroot, setresgid, setresuid},
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
        "--root" => chroot(value)?,
        "--vanish" => processes::vanish(value)?,
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
    let word = |at: usize| rest.get(at).copied().context("a word is missing");
    let number = |at: usize| -> anyhow::Result<usize> { Ok(word(at)?.parse()?) };
    let signed = |at: usize| -> anyhow::Result<i32> { Ok(i32::try_from(number(at)?)?) };
    let address = || -> anyhow::Result<SocketAddr> {
        Ok(rest.first().context("an address is missing")?.parse()?)
    };
    match verb {
        "serve" => talking::serve(address()?, number(1)?, number(2)?, number(3)?),
        "connect" => talking::exchange(&talking::stream(address()?)?, number(1)?, number(2)?),
        "mapped" => talking::mapped(address()?),
        "reset" => endings::reset(address()?),
        "serve-reset" => endings::serve_reset(address()?),
        "unread" => endings::unread(address()?),
        "half-close" => endings::half_close(address()?),
        "refused" => attempts::fails(address()?),
        "forbidden" => attempts::forbidden(address()?),
        "give-up" => attempts::give_up(address()?, number(1)?),
        "nonblocking" => attempts::nonblocking(address()?),
        "full" => attempts::full(address()?),
        "never-accept" => listeners::never_accept(address()?),
        "keep" => keeping::keep(address()?, number(1)?, number(2)?),
        "serve-keep" => keeping::serve_keep(address()?, number(1)?, number(2)?),
        "serve-alone" => keeping::serve_alone(address()?),
        "keep-many" => keeping::keep_many(number(0)?),
        "share" => keeping::share(address()?),
        "leave" => keeping::leave(address()?),
        "answer" => datagrams::answer(address()?, number(1)?, number(2)?),
        "hear" => datagrams::hear(address()?, number(1)?),
        "ask" => datagrams::ask(rest.get(2..).unwrap_or_default(), number(0)?, number(1)?),
        "talk" => datagrams::talk(address()?),
        "tell" => datagrams::tell(address()?, number(1)?, number(2)?),
        "at-once" => datagrams::at_once(address()?),
        "spray" => datagrams::spray(address()?, number(1)?),
        "hold" => talking::hold(address()?),
        "again" => talking::again(address()?),
        "listen-twice" => listeners::listen_twice(),
        "listen-unbound" => listeners::listen_unbound(),
        "no-local-port" => attempts::no_local_port(address()?),
        "waiting" => listeners::waiting(address()?, number(1)?),
        "flood" => talking::flood(address()?, number(1)?),
        "flood-for" => talking::flood_for(address()?, number(1)?),
        "absorb" => talking::absorb(address()?),
        "fork-connect" => processes::fork_connect(address()?),
        "fork-close" => processes::fork_close(address()?),
        "exec" => processes::exec(rest),
        "copy-itself" => processes::copy_itself(word(0)?),
        "orphan" => processes::orphan(rest),
        "threads" => talking::threads(address()?),
        "socket" => sockets::open(signed(0)?, signed(1)?, signed(2)?),
        "raw-tcp" => sockets::raw_tcp(address()?),
        "uring-connect" => uring::connect(address()?, word(1)?),
        "uring-attempts" => uring::attempts(word(0)?, rest.get(1..).unwrap_or_default()),
        "uring-serve" => uring::serve(address()?, word(1)?, number(2)?),
        "uring-multishot" => uring::serve_multishot(address()?, number(1)?),
        "uring-direct" => uring::serve_direct(address()?),
        "uring-socket" => uring::open(),
        "pass" => handing::pass(address()?),
        "take" => handing::take(address()?),
        "share-port" => handing::share_port(address()?, number(1)?),
        "who" => handing::who(address()?),
        "fast-open" => fast_open::send(address()?),
        "fast-open-fails" => fast_open::fails(address()?),
        "fast-open-connect" => fast_open::connect_first(address()?),
        "sendfile" => talking::send_file(address()?, number(1)?),
        "splice" => talking::splice(address()?, number(1)?),
        "hold-from" => talking::hold_from(address()?, word(1)?.parse()?),
        "name-serve" => names::serve(address()?, word(1)?.parse()?),
        "look-up" => names::look_up(address()?, word(1)?, word(2)?, word(3)?.parse()?),
        "ask-nothing" => names::ask_nothing(address()?),
        "multipath-serve" => multipath::serve(address()?),
        "multipath-fails" => multipath::fails(address()?),
        "multipath-connect" => multipath::connect_to(address()?),
        "narrow-connect" => narrow::connect(word(0)?.parse()?, word(1)?),
        "narrow-fails" => narrow::fails(word(0)?.parse()?, word(1)?),
        "narrow-serve" => narrow::serve(word(0)?.parse()?, word(1)?),
        "list" => looking::list(rest),
        "list-uring" => looking::list_by_ring(word(0)?, word(1)?),
        "list-held" => looking::list_held(word(0)?),
        "sweep" => looking::sweep(),
        "sweep-links" => looking::sweep_links(),
        "iterate" => looking::iterate(word(0)?),
        "look-elsewhere" => looking::elsewhere(),
        "diag" => netlink::diag(word(0)?, word(1)?, word(2)?, word(3)?),
        "diag-of" => netlink::diag_of_another(word(0)?, word(1)?, word(2)?, word(3)?),
        "diag-old" => netlink::diag_of_old(word(0)?),
        "diag-uring" => netlink::diag_by_ring(word(0)?, word(1)?, word(2)?, (word(3)?, word(4)?)),
        "diag-destroy" => netlink::destroy(address()?),
        "conntrack" => netlink::conntrack(),
        "idle" => {
            wait();
            Ok(())
        }
        "become" => looking::become_program(rest),
        "memfd" => looking::without_a_name(rest),
        "guard" => processes::guard(number(0)?),
        other => bail!("unknown verb {other}"),
    }
}

/// Tells the test something.
fn say(line: impl std::fmt::Display) {
    let mut stdout = std::io::stdout();
    // Nobody to tell if the test is gone.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Waits until the test says something.
fn hear() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Waits until the test closes our standard input.
fn wait() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
