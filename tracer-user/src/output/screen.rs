//! The terminal as a screen that is drawn on: entered once, and left whatever happens.
//!
//! While it is there, nobody else may write to the terminal: messages for stderr are held until it is left.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, Once, PoisonError, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use ratatui::crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use tracing_subscriber::fmt::MakeWriter;

use super::progress;

/// How much is held of what is said meanwhile; of more, the newest. The records tell of each loss themselves.
const HELD_MAX: usize = 64 << 10;

/// How long a process that ends at once waits for the terminal.
const PATIENCE: Duration = Duration::from_millis(500);

/// There is one terminal.
static STATE: Mutex<State> = Mutex::new(State {
    is_up: false,
    held: Vec::new(),
});

struct State {
    is_up: bool,
    held: Vec<u8>,
}

impl State {
    /// Holds a message. If there are too many, the older half goes, by whole lines.
    fn hold(&mut self, message: &[u8]) {
        self.held.extend_from_slice(message);
        if self.held.len() > HELD_MAX {
            let older = self.held.len() - HELD_MAX / 2;
            let mut newer = self.held.iter().skip(older);
            let end = newer.position(|byte| *byte == b'\n');
            self.held.drain(..end.map_or(older, |end| older + end + 1));
        }
    }

    /// What cannot be written any more is not: then there is no terminal.
    fn leave(&mut self) {
        if !std::mem::take(&mut self.is_up) {
            return;
        }
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
        let _ = io::stderr().write_all(&std::mem::take(&mut self.held));
    }
}

/// Nothing here panics while it is locked.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal while it is a screen.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Makes the terminal a screen.
    pub fn enter() -> anyhow::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(leave_before_panicking);
        let mut state = state();
        enable_raw_mode().context("the terminal does not give its keys one by one")?;
        state.is_up = true;
        let entered = execute!(io::stdout(), EnterAlternateScreen, Hide);
        if let Err(error) = entered {
            state.leave();
            return Err(error).context("cannot write to the terminal");
        }
        Ok(Self(()))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        state().leave();
    }
}

/// Leaves it for a process that ends at once: whoever writes to it now has a moment to finish, and a
/// terminal that takes nothing is not waited for.
pub fn abandon() {
    let (left, has_left) = mpsc::channel();
    let leave = move || {
        state().leave();
        // Who does not wait any more does not need to know.
        let _ = left.send(());
    };
    let leaving = thread::Builder::new().spawn(leave);
    if leaving.is_err() || has_left.recv_timeout(PATIENCE).is_err() {
        let _ = disable_raw_mode();
    }
}

/// Whatever is said of a panic is said where it can be read.
fn leave_before_panicking() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        state().leave();
        say(panic);
    }));
}

/// What was said for stderr, line by line.
pub fn held() -> Vec<String> {
    let state = state();
    let text = String::from_utf8_lossy(&state.held);
    text.lines().map(str::to_owned).collect()
}

/// Writes to the screen, a whole picture at a time, and nothing once that is left.
#[derive(Debug, Default)]
pub struct Picture(Vec<u8>);

impl Write for Picture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let state = state();
        let picture = std::mem::take(&mut self.0);
        if !state.is_up {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&picture)?;
        stdout.flush()
    }
}

/// Messages for people: stderr, when that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = state();
        if !state.is_up {
            return progress::aside(|| io::stderr().write(bytes));
        }
        state.hold(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Read as _,
        process::{Command, Stdio},
    };

    use nix::{
        pty::openpty,
        sys::termios::{LocalFlags, tcgetattr},
    };

    use super::*;

    #[test]
    #[ignore = "it panics; the test below runs it on a terminal"]
    fn on_a_terminal() {
        let _screen = Screen::enter().unwrap();
        panic!("on purpose");
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let pty = openpty(None, None).unwrap();
        let side = || Stdio::from(pty.slave.try_clone().unwrap());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("output::screen::tests::on_a_terminal")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .status();
        assert!(!status.unwrap().success());
        let flags = tcgetattr(&pty.slave).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
        drop(pty.slave);
        let mut written = Vec::new();
        // Fails at the end, for nobody has the other side any more.
        let _ = File::from(pty.master).read_to_end(&mut written);
        let written = String::from_utf8(written).unwrap();
        let (_, entered) = written.split_once("\x1b[?1049h").unwrap();
        let (_, left) = entered.split_once("\x1b[?1049l").unwrap();
        assert!(left.contains("on purpose"), "{left}");
    }
}
