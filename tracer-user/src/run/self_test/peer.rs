//! The process that the self-test traces, and the doctor's hand on it.
//!
//! It is another process because conntracer leaves out what it does itself. It has one thread, a
//! network namespace of its own, and ends with the doctor, however that ends.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::Context as _;
use nix::sys::{prctl::set_pdeathsig, signal::Signal};

use super::{
    kind::{Deed, Kind, Said},
    namespace,
    traffic::{self, Existing},
};
use crate::{cli::PeerArgs, run::Ending};

/// What runs it: this program, also where its file has been replaced or removed.
pub const OWN_PROGRAM: &str = "/proc/self/exe";
/// The name of its command,
pub const VERB: &str = "self-test-peer";
/// and of its flag.
pub const INHERITED: &str = "--inherited";

/// What the process does.
pub fn run(args: &PeerArgs) -> anyhow::Result<Ending> {
    set_pdeathsig(Signal::SIGKILL)?;
    if args.inherited {
        let inherited = std::io::stdin().as_fd().try_clone_to_owned()?;
        traffic::talk_as_heir(&TcpStream::from(inherited))?;
        return Ok(Ending::Done);
    }
    match namespace::enter() {
        Ok(netns) => make_all(netns)?,
        Err(error) => say(&Said::NoNamespace(format!("{error:#}")))?,
    }
    Ok(Ending::Done)
}

/// Makes one of each kind in this namespace, once there is who watches.
fn make_all(netns: u32) -> anyhow::Result<()> {
    let (mut existing, deed) = match Existing::new() {
        Ok(existing) => {
            let deed = Deed::Connection(existing.made);
            (Some(existing), deed)
        }
        Err(error) => (None, impossible(&error)),
    };
    say(&Said::Ready(netns, deed.clone()))?;
    // Nothing comes if the doctor is gone.
    if std::io::stdin().read_line(&mut String::new())? == 0 {
        return Ok(());
    }
    for kind in Kind::ALL {
        let deed = if kind == Kind::Existing {
            // It was made, and ends here.
            drop(existing.take());
            deed.clone()
        } else {
            traffic::make(kind).unwrap_or_else(|error| impossible(&error))
        };
        say(&Said::Done(kind, deed))?;
    }
    Ok(())
}

fn impossible(error: &anyhow::Error) -> Deed {
    Deed::Impossible(format!("{error:#}"))
}

fn say(said: &Said) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    std::io::stdout().write_all(&line)?;
    Ok(())
}

/// The process while it runs. It is killed when this is dropped.
pub struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Peer {
    /// Starts it. What it says is [`heard`] from the second. It must be started by a thread that
    /// outlives it: the kernel kills it when that thread ends.
    pub fn start() -> anyhow::Result<(Self, BufReader<ChildStdout>)> {
        let mut child = Command::new(OWN_PROGRAM)
            .arg(VERB)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the process that makes connections cannot be started")?;
        let stdout = child.stdout.take().context("its output is not there")?;
        let stdin = child.stdin.take();
        Ok((Self { child, stdin }, BufReader::new(stdout)))
    }

    /// Lets it make what is new.
    pub fn go(&mut self) {
        // Fails if it is gone, which is noticed when it says nothing.
        let _ = self.stdin.take().map(|mut stdin| stdin.write_all(b"\n"));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Fails if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next thing that the process says; `None`: it is gone.
pub fn heard(lines: &mut BufReader<ChildStdout>) -> Option<Said> {
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
