//! `conntracer flows attribute`: which process of this host made a flow.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tracer_core::{
    clock::Clock,
    flows::{
        Flow,
        attribute::{Attribution, Known, Match, Skew},
    },
    format::flows::As,
    record::Record,
    redact::Arguments,
};
use tracing::{info, warn};

use super::{
    out::{self, NotWritten, Out, Sink},
    read::Reading,
};
use crate::{
    cli::{AttributeFlowsArgs, NetworkArgs, SelectionArgs},
    output::sink::{RecordSink, Written},
    run::{
        Ending, NOTES,
        enrich::Enriching,
        files::{Files, Taker},
        history::{self, Question, Wanted},
    },
    store::read::Kinds,
};

/// So many flows are looked at to see how far the clocks are apart, before the first is told.
const HELD_MAX: usize = 200_000;

/// Says whose they were.
pub fn run(args: &AttributeFlowsArgs) -> anyhow::Result<Ending> {
    out::unless_closed(attribute(args))
}

fn attribute(args: &AttributeFlowsArgs) -> anyhow::Result<Ending> {
    let out = Out::with(&args.show, &args.enrich, As::Attributed)?;
    let (mut known, known_ending) = known(args)?;
    for ip in &args.address {
        known.address(*ip);
    }
    let attributing = Attributing {
        out,
        state: State::Gathering(Box::new(known), Vec::new()),
        tolerance: SignedDuration::try_from(std::time::Duration::from(args.tolerance))?,
        is_of_unlogged: args.unlogged,
        counts: BTreeMap::new(),
    };
    let mut reading = Reading::new(&args.log, attributing);
    reading.files(&args.files)?;
    let (attributing, problems, ending) = reading.end()?;
    attributing.end(problems)?;
    // That something was not recorded is told of each flow that it matters to.
    Ok(match known_ending {
        Ending::Failed => ending.worse(known_ending),
        _ => ending,
    })
}

/// What this host has recorded.
fn known(args: &AttributeFlowsArgs) -> anyhow::Result<(Known, Ending)> {
    let config = args.config.load()?;
    let mut gathering = Gathering {
        known: Known::default(),
        arguments: args.args.arguments(&config)?,
    };
    let (selection, networks) = (SelectionArgs::default(), NetworkArgs::default());
    let ending = if args.from.is_empty() {
        let question = Question {
            path: args.history.place.path(&config),
            selection: &selection,
            enriching: Enriching::default(),
            networks: &networks,
        };
        let wanted = Wanted {
            kinds: Kinds {
                connections: true,
                findings: false,
            },
            count: None,
        };
        history::stream(&question, &args.history, wanted, || {
            Ok(Box::new(Recorded(&mut gathering)))
        })?
    } else {
        let files = Files {
            paths: &args.from,
            selection: &selection,
            networks: &networks,
            discovery: None,
        };
        files.read(&mut gathering)?
    };
    Ok((gathering.known, ending))
}

/// Gathers what was recorded.
struct Gathering {
    known: Known,
    /// What is shown of arguments.
    arguments: Arguments,
}

impl Gathering {
    fn take(&mut self, mut record: Record) {
        self.arguments.apply(&mut record);
        self.known.record(&record);
    }
}

impl Taker for Gathering {
    fn begin(&mut self) {}

    fn record(&mut self, record: &Record) {
        self.take(record.clone());
    }

    fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.take(Record::read(line)?);
        Ok(())
    }
}

/// What a history hands over.
struct Recorded<'a>(&'a mut Gathering);

impl RecordSink for Recorded<'_> {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        for record in records {
            self.0.record(record);
        }
        Ok(Written::All)
    }
}

/// Says of each flow whose it was, once enough of them were seen to know how far the clocks are apart.
struct Attributing {
    out: Out,
    state: State,
    tolerance: SignedDuration,
    is_of_unlogged: bool,
    counts: BTreeMap<&'static str, u64>,
}

enum State {
    Gathering(Box<Known>, Vec<Flow>),
    Telling(Box<Attribution>),
}

impl Sink for Attributing {
    fn take(&mut self, flow: Flow) -> Result<(), NotWritten> {
        match &mut self.state {
            State::Gathering(_, held) if held.len() < HELD_MAX => {
                held.push(flow);
                Ok(())
            }
            State::Gathering(..) => {
                self.begin()?;
                self.tell(flow)
            }
            State::Telling(_) => self.tell(flow),
        }
    }
}

impl Attributing {
    /// Tells those that were held.
    fn begin(&mut self) -> Result<(), NotWritten> {
        if let State::Gathering(known, held) = &mut self.state {
            let (known, held) = (std::mem::take(known), std::mem::take(held));
            let attribution = Attribution::new(*known, &held, self.tolerance);
            say(attribution.skew());
            self.state = State::Telling(Box::new(attribution));
            for flow in held {
                self.tell(flow)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, mut flow: Flow) -> Result<(), NotWritten> {
        let State::Telling(attribution) = &mut self.state else {
            return Ok(());
        };
        let attributed = attribution.of(&flow);
        *self.counts.entry(attributed.verdict.word()).or_default() += 1;
        flow.attributed = Some(Box::new(attributed));
        if self.is_of_unlogged {
            return Ok(());
        }
        self.out.take(flow)
    }

    fn end(mut self, problems: u64) -> Result<(), NotWritten> {
        self.begin()?;
        if let State::Telling(attribution) = &self.state {
            let unlogged = attribution.unlogged();
            let count = u64::try_from(unlogged.len()).unwrap_or(u64::MAX);
            self.counts.insert(Match::Unlogged.word(), count);
            if self.is_of_unlogged {
                for flow in unlogged {
                    self.out.take(flow)?;
                }
            }
        }
        self.out.flush()?;
        let counts = self.counts.iter();
        let counts: Vec<String> = counts
            .map(|(word, count)| format!("{word}: {count}"))
            .collect();
        let counts = counts.join("; ");
        info!(target: NOTES, "{counts}; shown: {}; could not be read: {problems}", self.out.told);
        Ok(())
    }
}

/// Says how far the clocks are apart.
fn say(skew: Option<Skew>) {
    let Some(skew) = skew else {
        info!(target: NOTES, "how far the clocks of devices and host are apart is not known: taken for not at all");
        return;
    };
    let (offset, spread, pairs) = (
        skew.offset.as_secs_f64(),
        skew.spread.as_secs_f64(),
        skew.pairs,
    );
    info!(
        target: NOTES,
        "clocks of devices are {offset:+.1} s off that of the host, half of them within {spread:.1} s, by {pairs} connections"
    );
    if skew.is_of_zones() {
        warn!("that is as much as time zones are apart: --tz may be another");
    }
}
