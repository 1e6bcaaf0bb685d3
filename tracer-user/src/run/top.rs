//! `conntracer top`: a live table of connections or hosts.

mod keys;
mod screen;

use std::{
    io::IsTerminal as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::anyhow;
use tracer_core::{
    clock::Clock,
    enrich::Enrichment,
    record::Record,
    top::{Look, Model},
};

use super::{
    Ending,
    enrich::Enriching,
    live::{self, Live, Output, Updates},
    session::Until,
};
use crate::{
    cli::{TopArgs, UsageError},
    host::clock::boot_ns,
    kernel::ladder::Fact,
    output::{
        screen::Screen,
        sink::{RecordSink, Written},
    },
};

/// Shows it until somebody has seen enough.
pub fn run(args: &TopArgs) -> anyhow::Result<Ending> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let why = "top draws on a terminal and takes its keys, and stdin or stdout is none; `conntracer` streams, `conntracer snapshot` lists";
        return Err(UsageError(why.to_owned()).into());
    }
    let config = args.live.config.load()?;
    let enriching = Enriching::new(&config.enrich(&args.enrich))?;
    live::run(Live {
        facts: &Fact::ALL,
        selection: &args.selection,
        enriching: enriching.clone(),
        networks: &args.networks,
        config: &config,
        output: Output::Taken(Box::new(Top::new(look(args), enriching))),
        kernel: &args.live,
        record: None,
        count: None,
        updates: Updates::every(args.update_interval.into()),
        udp_idle: args.watch.udp_idle.into(),
        states: args.states,
        discovery: args.findings.elements(&args.selection, &config),
        cross_check: false,
        hash: args.details.hash,
        pods: None,
        until: Until::after(args.watch.duration),
        reload: None,
    })
}

/// A dumb terminal has neither colours nor anything else but text.
fn look(args: &TopArgs) -> Look {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    Look {
        is_coloured: live::is_coloured(args.tone.color, !is_dumb),
        has_attributes: !is_dumb,
    }
}

/// What the run and the screen have in common.
#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    /// The run is over, and nothing is to be shown any more.
    is_over: AtomicBool,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        // If the screen panics, the run still ends in order.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes records, and has them shown by a thread, so that neither waits for the other.
struct Top {
    shared: Arc<Shared>,
    look: Look,
    enriching: Enriching,
    /// What the model was told of it last.
    told: Option<Arc<Enrichment>>,
    screen: Shown,
}

/// The thread of the screen.
enum Shown {
    /// Nothing is traced yet: what is said until then can still be read.
    NotYet,
    Now(JoinHandle<anyhow::Result<()>>),
    Over,
}

impl Top {
    fn new(look: Look, enriching: Enriching) -> Self {
        Self {
            shared: Arc::new(Shared {
                model: Mutex::new(Model::new()),
                is_over: AtomicBool::new(false),
            }),
            look,
            enriching,
            told: None,
            screen: Shown::NotYet,
        }
    }

    /// Keeps the screen up, and tells if it has failed. Who has left it is asked for the end of the run as
    /// by Ctrl-C.
    fn show(&mut self) -> anyhow::Result<()> {
        match &self.screen {
            Shown::NotYet => {
                let screen = Screen::enter()?;
                let (shared, look) = (self.shared.clone(), self.look);
                let thread = std::thread::spawn(move || screen::run(screen, &shared, look));
                self.screen = Shown::Now(thread);
                Ok(())
            }
            Shown::Now(thread) if thread.is_finished() => self.leave(),
            Shown::Now(_) | Shown::Over => Ok(()),
        }
    }

    /// Rows are told by what files say now, as records are.
    fn enrich(&mut self) {
        let Some(now) = self.enriching.now() else {
            return;
        };
        let is_told = |told: &Arc<Enrichment>| Arc::ptr_eq(told, &now);
        if !self.told.as_ref().is_some_and(is_told) {
            self.told = Some(now.clone());
            self.shared.model().enrich(now);
        }
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        match std::mem::replace(&mut self.screen, Shown::Over) {
            Shown::Now(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("what draws the screen has panicked"))),
            Shown::NotYet | Shown::Over => Ok(()),
        }
    }
}

impl RecordSink for Top {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        self.show()?;
        self.enrich();
        self.shared.model().take(records, clock, boot_ns());
        if let Some(Record::Stop(_)) = records.last() {
            self.leave()?;
        }
        Ok(Written::All)
    }

    fn surveyed(&mut self) {
        self.shared.model().surveyed();
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        // The run has failed; that is what is told.
        let _ = self.leave();
    }
}
