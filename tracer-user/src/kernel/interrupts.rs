//! The signals that end a run. The first asks for an orderly end; who asks twice does not want to wait.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::Sender,
};

use anyhow::Context as _;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
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

/// What was asked for by a signal, which is heard of before all that is waiting.
#[derive(Debug, Default)]
pub struct Interrupts {
    is_new: AtomicBool,
    is_awaited: AtomicBool,
}

impl Interrupts {
    /// Listens from here on, with a thread that stays until the process ends: there may be much to do between
    /// the first signal and the end. `messages`: for whoever waits for one.
    pub fn listen(messages: Sender<Message>) -> anyhow::Result<Arc<Self>> {
        let signals = ending_signals();
        signals.thread_block()?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        let heard = Arc::new(Self::default());
        let hearing = heard.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || hearing.hear(&signals, &messages))
            .context("cannot start a thread")?;
        Ok(heard)
    }

    /// The interrupt that nobody has taken yet.
    pub fn take(&self) -> Option<Interrupt> {
        let is_new = self.is_new.swap(false, Ordering::Acquire);
        let is_awaited = self.is_awaited.load(Ordering::Relaxed);
        is_new.then_some(if is_awaited {
            Interrupt::Awaited
        } else {
            Interrupt::Managed
        })
    }

    fn hear(&self, signals: &SignalFd, messages: &Sender<Message>) {
        let mut is_interrupted = false;
        while let Ok(Some(signal)) = signals.read_signal() {
            let is_awaited = signal.ssi_signo == Signal::SIGINT as u32;
            self.is_awaited.store(is_awaited, Ordering::Relaxed);
            self.is_new.store(true, Ordering::Release);
            // For whoever waits now; what is full of frames has more to do before it comes to this. If
            // the run is over, there is nothing to be put in order any more.
            let is_over = messages.send(Message::Interrupted).is_err();
            if is_interrupted || is_over {
                screen::abandon();
                std::process::exit(130);
            }
            is_interrupted = true;
        }
    }
}
