//! How far something long has come, on stderr if that is a terminal and stdout is not.

use std::{
    io::{self, IsTerminal as _, Read},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The one that is shown: there is one terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How often it is drawn at least: what stands still is seen to.
const TICK: Duration = Duration::from_millis(250);
/// After so many things it is said how many there are.
const STEP: u64 = 4096;

/// How far it has come.
pub struct Progress {
    bar: ProgressBar,
    /// What is counted, e.g. `flows`.
    what: &'static str,
    count: u64,
}

impl Progress {
    /// Of so many bytes that are to be read, if that is known. `is_wanted`: something is to be said at all.
    pub fn new(bytes: Option<u64>, what: &'static str, is_wanted: bool) -> Self {
        let is_shown = is_wanted && io::stderr().is_terminal() && !io::stdout().is_terminal();
        let target = if is_shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(bytes, target);
        let template = match bytes {
            Some(_) => "{bar:24} {bytes}/{total_bytes}, {bytes_per_sec}; {msg}",
            None => "{bytes}, {bytes_per_sec}; {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if is_shown {
            bar.enable_steady_tick(TICK);
            *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        }
        Self {
            bar,
            what,
            count: 0,
        }
    }

    /// The same bytes, counted as they are read.
    pub fn reading<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// Counts what was found in them.
    pub fn count(&mut self, more: usize) {
        let before = self.count / STEP;
        self.count += u64::try_from(more).unwrap_or_default();
        if self.count / STEP > before {
            let rate = u128::from(self.count) * 1000 / self.bar.elapsed().as_millis().max(1);
            let rate = HumanCount(u64::try_from(rate).unwrap_or(u64::MAX));
            let (count, what) = (HumanCount(self.count), self.what);
            self.bar.set_message(format!("{count} {what}, {rate}/s"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.bar.finish_and_clear();
    }
}

/// Does what writes to the terminal while nothing else is there.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
