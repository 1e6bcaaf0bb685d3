//! An agent that keeps a history of a network namespace.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
};

use nix::sys::signal::Signal;
use rusqlite::{Connection as Database, OpenFlags};

use crate::{
    DEADLINE, conntracer,
    netns::Netns,
    peer::{self, Peer},
    scratch::Scratch,
    signals,
};

/// A running agent, and what it says to systemd.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    guard: Child,
    systemd: UnixDatagram,
    stderr: BufReader<ChildStderr>,
    /// What was read of that.
    said: String,
    /// Where the history is.
    pub history: PathBuf,
}

impl Agent {
    /// Starts one, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become so.
    pub fn start(scratch: &Scratch, netns: &Netns, flags: &[&str]) -> Self {
        Self::run(scratch, netns, command(scratch, netns).args(flags))
    }

    /// Starts one whose stdout goes there, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become so.
    pub fn start_with(scratch: &Scratch, netns: &Netns, flags: &[&str], stdout: Stdio) -> Self {
        let mut command = command(scratch, netns);
        Self::run(scratch, netns, command.args(flags).stdout(stdout))
    }

    /// The same with another command than [`command`] makes.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn run(scratch: &Scratch, netns: &Netns, command: &mut Command) -> Self {
        let socket = scratch.file(&format!("notify-{}", netns.inode()));
        let _ = std::fs::remove_file(&socket);
        let systemd = UnixDatagram::bind(&socket).unwrap();
        systemd.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut child = command
            .env("NOTIFY_SOCKET", &socket)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let guard = Command::new(crate::peer())
            .args(["guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let agent = Self {
            child,
            guard,
            systemd,
            stderr,
            said: String::new(),
            history: history(scratch),
        };
        agent.wait_for("READY=1");
        agent
    }

    /// Waits until it says this to systemd: all that it says with it.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for(&self, what: &str) -> String {
        loop {
            let mut said = [0; 4096];
            let len = self.systemd.recv(&mut said).unwrap();
            let said = String::from_utf8_lossy(&said[..len]).into_owned();
            if said.lines().any(|line| line == what) {
                return said;
            }
        }
    }

    /// Reads what it says to people, up to a line with this: that line.
    ///
    /// # Panics
    /// If it ends without.
    pub fn line_with(&mut self, what: &str) -> String {
        loop {
            let from = self.said.len();
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it does not say `{what}`: {}", self.said);
            let line = self.said[from..].trim_end();
            if line.contains(what) {
                return line.to_owned();
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        signals::send(self.child.id(), signal);
    }

    /// Waits for its end: how it ended, and what it said.
    ///
    /// # Panics
    /// If that cannot be read.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        (status, self.said)
    }

    /// Ends it, and waits for that.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// What its history answers with a number.
    pub fn number(&self, sql: &str) -> i64 {
        number(&self.history, sql)
    }
}

/// Where the history of a test is.
pub fn history(scratch: &Scratch) -> PathBuf {
    scratch.path().join("kept/history.db")
}

/// The command of an agent of a network namespace.
pub fn command(scratch: &Scratch, netns: &Netns) -> Command {
    let mut command = Command::new(conntracer());
    command
        .args(["agent", "--duration", "2h", "--update-interval", "1s"])
        .args(["--netns", &netns.inode().to_string()])
        .arg("--history")
        .arg(history(scratch))
        .stdin(Stdio::null());
    command
}

/// What a history answers with a number.
///
/// # Panics
/// If it cannot be asked.
pub fn number(history: &Path, sql: &str) -> i64 {
    let db = Database::open_with_flags(history, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// One exchange: the port, and the process that connected.
pub fn talk(netns: &Netns, sent: &str, received: &str) -> (u16, u64) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", sent, received]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let client = peer::run(netns, &["connect", &target, sent, received]);
    server.finish();
    (port, client)
}
