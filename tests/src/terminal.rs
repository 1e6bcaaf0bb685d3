//! A terminal that a program is run on, and what is seen on it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZero,
    os::fd::{AsFd as _, OwnedFd},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Instant,
};

use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::Signal,
        termios::{LocalFlags, Termios, tcgetattr},
    },
};

use crate::{DEADLINE, signals};

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    /// The side of the program, so that the terminal stays when that ends.
    slave: OwnedFd,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    all: Mutex<All>,
    changed: Condvar,
}

/// What was written to the terminal.
struct All {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

impl Default for All {
    fn default() -> Self {
        Self {
            parser: vt100::Parser::new(ROWS, COLUMNS, 0),
            raw: Vec::new(),
        }
    }
}

impl Terminal {
    /// Runs a program on a terminal of 80×24.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn run(command: &mut Command) -> Self {
        let size = Winsize {
            ws_row: ROWS.get(),
            ws_col: COLUMNS.get(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap_or_else(|error| panic!("no terminal: {error}"));
        let slave = || {
            let slave = pty.slave.try_clone();
            Stdio::from(slave.unwrap_or_else(|error| panic!("no terminal: {error}")))
        };
        let child = command
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
        let master = File::from(pty.master);
        let keys = master
            .try_clone()
            .unwrap_or_else(|error| panic!("no terminal: {error}"));
        let seen = Arc::new(Seen::default());
        let gathered = Arc::clone(&seen);
        std::thread::spawn(move || gathered.gather(master));
        Self {
            child,
            keys,
            slave: pty.slave,
            seen,
        }
    }

    /// Process id of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Presses keys.
    ///
    /// # Panics
    /// If nobody is there.
    pub fn press(&mut self, keys: &str) {
        let written = self.keys.write_all(keys.as_bytes());
        written.unwrap_or_else(|error| panic!("the terminal takes no keys: {error}"));
    }

    /// Waits until what is seen is as wanted, and gives it.
    ///
    /// # Panics
    /// If that does not come.
    pub fn wait(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for(what, |all| {
            let seen = all.parser.screen().contents();
            is_wanted(&seen).then_some(seen)
        })
    }

    fn wait_for<T>(&self, what: &str, wanted: impl Fn(&All) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let all = self.seen.all.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = wanted(&all) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what} is not seen, but\n{}",
                all.parser.screen().contents()
            );
            let changed = self.seen.changed.wait_timeout(all, left);
            all = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether it is the alternate screen that is seen.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        let all = self.seen.all.lock();
        let all = all.unwrap_or_else(PoisonError::into_inner);
        all.parser.screen().alternate_screen()
    }

    /// Whether it gathers lines and shows what is typed, as it does for a shell.
    #[must_use]
    pub fn is_cooked(&self) -> bool {
        let flags = self.modes().local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    fn modes(&self) -> Termios {
        tcgetattr(self.slave.as_fd()).unwrap_or_else(|error| panic!("no terminal: {error}"))
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        signals::send(self.pid(), signal);
    }

    /// Sends it signals that it finds all at once.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal_at_once(&self, signals: &[Signal]) {
        signals::send_at_once(self.pid(), signals);
    }

    /// Waits for the end of the program, and until all that it wrote is seen. How it ended.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn end(&mut self) -> ExitStatus {
        /// Written behind the last that the program wrote.
        const MARK: &[u8] = b"\x1b]0;the end\x07";
        let status = self.child.wait();
        let status = status.unwrap_or_else(|error| panic!("no end: {error}"));
        let slave = self.slave.try_clone();
        let slave = slave.unwrap_or_else(|error| panic!("no terminal: {error}"));
        let marked = File::from(slave).write_all(MARK);
        marked.unwrap_or_else(|error| panic!("no terminal: {error}"));
        self.wait_for("the end", |all| all.raw.ends_with(MARK).then_some(()));
        status
    }

    /// Everything that was written to it, as it was written.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        let all = self.seen.all.lock();
        all.unwrap_or_else(PoisonError::into_inner).raw.clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    fn gather(&self, mut master: File) {
        let mut bytes = [0; 4096];
        // Fails when all have left the terminal.
        while let Ok(count @ 1..) = master.read(&mut bytes) {
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            let new = bytes.get(..count).unwrap_or_default();
            all.parser.process(new);
            all.raw.extend_from_slice(new);
            self.changed.notify_all();
        }
    }
}
