//! `conntracer flows attribute`: which process of this host made a flow.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use jiff::SignedDuration;
use tracer_core::{
    clock::Clock,
    flows::{
        Flow,
        attribute::{Attribution, Known, Match, Skew},
    },
    record::Record,
    redact::Arguments,
};
use tracing::{info, warn};

use super::{
    out::{self, NotWritten, Out, Sink},
    read::Reading,
};
use crate::{
    cli::{AttributeFlowsArgs, Config, NetworkArgs, SelectionArgs},
    kernel::ladder::Fact,
    output::sink::{RecordSink, Written},
    run::{
        Ending, NOTES,
        enrich::Enriching,
        files::{Files, Taker},
        history::{self, Question, Wanted},
        live::{self, Live, Output, Updates},
        session::Until,
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
    let out = Out::attributed(&args.out)?;
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
    let mut reading = Reading::new(&args.log, &args.out.show.output.tone.voice, attributing);
    reading.files(&args.files)?;
    let (attributing, problems, ending) = reading.end()?;
    attributing.end(problems)?;
    // That something was not recorded is told of each flow that it matters to.
    Ok(match known_ending {
        Ending::Failed => ending.worse(known_ending),
        _ => ending,
    })
}

/// What this host has recorded, or what it does now.
fn known(args: &AttributeFlowsArgs) -> anyhow::Result<(Known, Ending)> {
    let config = args.kernel.config.load()?;
    let recorded = Recorded(Rc::new(RefCell::new(Gathering {
        known: Known::default(),
        arguments: args.args.arguments(&config)?,
    })));
    let ending = if args.live {
        now(args, &config, recorded.clone())?
    } else if args.from.is_empty() {
        before(args, &config, recorded.clone())?
    } else {
        let files = Files {
            paths: &args.from,
            selection: &SelectionArgs::default(),
            networks: &NetworkArgs::default(),
            discovery: None,
        };
        files.read(&mut *recorded.0.borrow_mut())?
    };
    let known = std::mem::take(&mut recorded.0.borrow_mut().known);
    Ok((known, ending))
}

/// What a history has.
fn before(
    args: &AttributeFlowsArgs,
    config: &Config,
    recorded: Recorded,
) -> anyhow::Result<Ending> {
    let question = Question {
        path: args.history.place.path(config),
        selection: &SelectionArgs::default(),
        enriching: Enriching::default(),
        networks: &NetworkArgs::default(),
    };
    let wanted = Wanted {
        kinds: Kinds {
            connections: true,
            findings: false,
        },
        count: None,
    };
    history::stream(&question, &args.history, wanted, || Ok(Box::new(recorded)))
}

/// What is open now, or all that happens for a while.
fn now(args: &AttributeFlowsArgs, config: &Config, recorded: Recorded) -> anyhow::Result<Ending> {
    let duration = args.duration.map(std::time::Duration::from);
    let (facts, until): (&[Fact], _) = match duration {
        Some(duration) => (&Fact::ALL, Until::After(duration)),
        None => (&[Fact::Existing], Until::Surveyed),
    };
    live::run(Live {
        facts,
        selection: &SelectionArgs::default(),
        enriching: Enriching::default(),
        networks: &NetworkArgs::default(),
        config,
        output: Output::Taken(Box::new(recorded)),
        kernel: &args.kernel,
        record: None,
        count: None,
        updates: Updates::Never,
        udp_idle: std::time::Duration::MAX,
        states: false,
        discovery: None,
        cross_check: false,
        hash: false,
        pods: None,
        until,
        reload: None,
    })
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

/// What a history hands over, or a run.
#[derive(Clone)]
struct Recorded(Rc<RefCell<Gathering>>);

impl RecordSink for Recorded {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        let mut gathering = self.0.borrow_mut();
        for record in records {
            gathering.record(record);
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

    fn end(mut self, problems: u64) -> anyhow::Result<()> {
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
        self.out.end()?;
        let counts = self.counts.iter();
        let counts: Vec<String> = counts
            .map(|(word, count)| format!("{word}: {count}"))
            .collect();
        let counts = counts.join("; ");
        info!(target: NOTES, "{counts}; shown: {}; could not be read: {problems}", self.out.told);
        Ok(self.out.judge.check()?)
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
