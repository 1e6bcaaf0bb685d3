//! What is to be posted: rows, from files or from the running kernel.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tracer_core::{
    clock::Clock,
    format::nemesis::rows::{Rows, Told},
    record::Record,
    redact::Arguments,
};
use tracing::info;

use crate::{
    cli::{Config, NemesisExport},
    kernel::ladder::Fact,
    output::sink::{RecordSink, Written},
    run::{
        Ending, NOTES,
        enrich::Enriching,
        files::{Files, Taker},
        live::{self, Live, Output, Updates},
        session::Until,
    },
};

/// Gathers rows, and how that ended. Nothing is posted meanwhile: no server is so slow that records are lost.
pub fn gather(
    args: &NemesisExport,
    config: &Config,
    arguments: Arguments,
) -> anyhow::Result<(Vec<Told>, Ending)> {
    let mut gatherer = Gatherer {
        rows: Rows::new(args.nemesis.states, arguments),
        told: Vec::new(),
    };
    if !args.from.is_empty() {
        let files = Files {
            paths: &args.from,
            selection: &args.selection,
            networks: &args.networks,
            discovery: None,
        };
        let ending = files.read(&mut gatherer)?;
        return Ok((gatherer.finish(), ending));
    }
    let gatherer = Rc::new(RefCell::new(gatherer));
    let ending = watch(args, config, Rc::clone(&gatherer))?;
    let told = gatherer.borrow_mut().finish();
    Ok((told, ending))
}

fn watch(
    args: &NemesisExport,
    config: &Config,
    gatherer: Rc<RefCell<Gatherer>>,
) -> anyhow::Result<Ending> {
    let until = args
        .duration
        .map_or(Until::Surveyed, |duration| Until::After(duration.into()));
    if until == Until::Surveyed {
        info!(target: NOTES, "this is what is open now; --duration 30s watches");
    }
    live::run(Live {
        facts: if until == Until::Surveyed {
            &[Fact::Existing]
        } else {
            &Fact::ALL
        },
        selection: &args.selection,
        enriching: Enriching::default(),
        networks: &args.networks,
        config,
        output: Output::Taken(Box::new(Watched(gatherer))),
        kernel: &args.live,
        hash: false,
        pods: None,
        record: None,
        count: None,
        updates: Updates::Never,
        udp_idle: Duration::MAX,
        states: args.nemesis.states,
        discovery: None,
        cross_check: false,
        until,
        reload: None,
    })
}

struct Gatherer {
    rows: Rows,
    told: Vec<Told>,
}

impl Gatherer {
    fn finish(&mut self) -> Vec<Told> {
        self.rows.end(&mut self.told);
        std::mem::take(&mut self.told)
    }
}

impl Taker for Gatherer {
    fn begin(&mut self) {
        self.rows.end(&mut self.told);
    }

    fn record(&mut self, record: &Record) {
        self.rows.record(record, &mut self.told);
    }

    fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.rows.line(line, &mut self.told)
    }
}

/// Gathers what a run tells, which owns its sink.
struct Watched(Rc<RefCell<Gatherer>>);

impl RecordSink for Watched {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        let mut gatherer = self.0.borrow_mut();
        for record in records {
            gatherer.record(record);
        }
        Ok(Written::All)
    }
}
