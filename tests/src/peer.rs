//! Processes that make connections, and what they have to say.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{netns::Netns, peer};

/// A process that makes connections.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one in a namespace; see `peer` for the words.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(netns: &Netns, words: &[&str]) -> Self {
        Self::start_copy(peer().as_os_str(), netns, words)
    }

    /// The same of a copy of that program.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_copy(program: &OsStr, netns: &Netns, words: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["--netns", &netns.path()])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let stdout = child.stdout.take().unwrap_or_else(|| unreachable!());
        Self {
            child,
            lines: BufReader::new(stdout),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u64 {
        u64::from(self.child.id())
    }

    /// The next line it says.
    ///
    /// # Panics
    /// If it says nothing any more.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        assert!(
            matches!(read, Ok(len) if len > 0),
            "the peer says nothing any more: {:?}",
            self.child.wait()
        );
        line.trim_end().to_owned()
    }

    /// The port it says.
    ///
    /// # Panics
    /// If it says something else.
    pub fn port(&mut self) -> u16 {
        let line = self.line();
        line.parse()
            .unwrap_or_else(|_| panic!("`{line}` is not a port"))
    }

    /// Says something to it.
    ///
    /// # Panics
    /// If it is gone.
    pub fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap_or_else(|| unreachable!());
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("the peer is gone: {error}"));
    }

    /// Lets it go on, if it waits, and waits for its end.
    ///
    /// # Panics
    /// If it failed.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "the peer failed: {status:?}"
        );
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        // Fails if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one and waits for its end. Its process id.
///
/// # Panics
/// If it failed.
pub fn run(netns: &Netns, words: &[&str]) -> u64 {
    let peer = Peer::start(netns, words);
    let pid = peer.pid();
    peer.finish();
    pid
}
