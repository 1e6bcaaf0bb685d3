//! conntracer as somebody sees it: line by line, on a terminal or through a pipe.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
};

use nix::pty::{Winsize, openpty};
use tracer_tests::{DEADLINE, conntracer, netns::Netns};

/// A running conntracer and the lines it writes.
pub struct Shown {
    child: Child,
    lines: Receiver<String>,
}

impl Shown {
    /// On a terminal of so many columns, for a namespace.
    pub fn on_terminal(columns: u16, netns: &Netns, flags: &[&str]) -> Self {
        Self::start_on_terminal(columns, command(netns, flags))
    }

    /// On a terminal of so many columns.
    pub fn start_on_terminal(columns: u16, command: Command) -> Self {
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = openpty(&size, None).unwrap();
        Self::start(command, terminal.slave, terminal.master)
    }

    /// Through a pipe, for a namespace.
    pub fn piped(netns: &Netns, flags: &[&str]) -> Self {
        let (read, write) = nix::unistd::pipe().unwrap();
        Self::start(command(netns, flags), write, read)
    }

    /// Starts a command that writes to `output`, which is read from `input`.
    fn start(mut command: Command, output: OwnedFd, input: OwnedFd) -> Self {
        let child = command.stdout(output).spawn().unwrap();
        // With the command goes our copy of the output, so that the input can end.
        drop(command);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // A terminal that nobody writes to any more is an error, and the end.
            let lines = BufReader::new(File::from(input)).split(b'\n');
            for line in lines.map_while(Result::ok) {
                let line = String::from_utf8(line).unwrap();
                // A terminal gets a carriage return before each line feed.
                let line = line.strip_suffix('\r').unwrap_or(&line);
                // Fails when the test has seen enough.
                let _ = sender.send(line.to_owned());
            }
        });
        Self { child, lines }
    }

    /// The next line.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// Waits until it ends by itself: the lines that were not looked at yet, and how it ended.
    pub fn end(mut self) -> (Vec<String>, ExitStatus) {
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            rest.push(line);
        }
        (rest, self.child.wait().unwrap())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A conntracer for a namespace that the environment tells nothing about colours.
pub fn command(netns: &Netns, flags: &[&str]) -> Command {
    let mut command = Command::new(conntracer());
    command
        .args(["--netns", &netns.inode().to_string(), "--duration", "10m"])
        .args(flags)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}
