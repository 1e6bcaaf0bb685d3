//! The signals that end a run, and the one that may ask for something else. The first asks for an orderly
//! end; who asks twice does not want to wait.

use std::{
    os::fd::AsFd as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
};

use anyhow::Context as _;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::source::Message;
use crate::output::screen;

/// The signals that end a run.
pub fn ending_signals() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    signals
}

/// Who asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Somebody who sits there and waits for it: SIGINT.
    Awaited,
    /// Whoever manages services, who leaves time for all there is: SIGTERM, SIGHUP.
    Managed,
}

impl Interrupt {
    fn of(signal: u32) -> Self {
        if signal == Signal::SIGINT as u32 {
            Self::Awaited
        } else {
            Self::Managed
        }
    }
}

/// What was asked for by a signal and is not taken yet, which is heard of before all that is waiting.
#[derive(Debug, Default)]
pub struct Interrupts(Mutex<Option<Interrupt>>);

impl Interrupts {
    /// Listens from here on, with a thread that stays until the process ends: there may be much to do between
    /// the first signal and the end. `messages`: for whoever waits for one. `reloads`: SIGHUP asks for what is
    /// configured to be read again.
    pub fn listen(messages: Sender<Message>, reloads: bool) -> anyhow::Result<Arc<Self>> {
        let signals = ending_signals();
        signals.thread_block()?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        let heard = Arc::new(Self::default());
        let hearing = heard.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || hearing.hear(&signals, &messages, reloads))
            .context("cannot start a thread")?;
        Ok(heard)
    }

    /// The interrupt that nobody has taken yet.
    pub fn take(&self) -> Option<Interrupt> {
        self.newest().take()
    }

    fn newest(&self) -> MutexGuard<'_, Option<Interrupt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, signals: &SignalFd, messages: &Sender<Message>, reloads: bool) {
        let (mut asked, mut is_told) = (0, false);
        while let Ok(Some(signal)) = signals.read_signal() {
            let is_hangup = signal.ssi_signo == Signal::SIGHUP as u32;
            let is_reload = reloads && is_hangup && messages.send(Message::Reload).is_ok();
            if !is_reload {
                asked += 1;
                *self.newest() = Some(Interrupt::of(signal.ssi_signo));
            }
            // Who asks twice at once is heard twice before anybody begins to end.
            let is_heard = asked > 1 || !is_ready(signals);
            if asked == 0 || !is_heard || (is_reload && is_told) {
                continue;
            }
            // For whoever waits now; what is full of frames has more to do before it comes to this. If
            // the run is over, there is nothing to be put in order any more.
            let is_over = messages.send(Message::Interrupted).is_err();
            is_told = true;
            if asked > 1 || is_over {
                screen::abandon();
                std::process::exit(130);
            }
        }
    }
}

/// Whether there is another signal.
fn is_ready(signals: &SignalFd) -> bool {
    let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    poll(&mut waiting, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
