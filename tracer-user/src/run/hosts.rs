//! `conntracer hosts`: which hosts communicate.

mod from;
mod watch;

use std::{
    cell::Cell,
    io::{ErrorKind, Write},
    rc::Rc,
};

use anyhow::Context as _;
use tracer_core::{
    clock::Clock,
    format::{Layout, hosts as format},
    hosts::{Grouping, Hosts, Sort},
    record::Record,
};
use tracing::info;

use self::watch::Screen;
use super::{
    Ending, NOTES,
    enrich::Enriching,
    history::{self, Question},
    live::{self, Live, Output, Updates},
    session::Until,
};
use crate::{
    cli::{HostsArgs, OutputFormat, UsageError, not_of_a_history},
    kernel::ladder::Fact,
    output::{
        sink::{RecordSink, Written},
        terminal,
    },
};

/// What a look at what is open now does not show.
const NOT_NOW: &str = "this is what is open now: not what was closed before, nor attempts that fail, \
    nor with whom UDP sockets speak that are not connected, nor what comes next; --duration 30s watches";

/// Shows who communicates.
pub fn run(args: &HostsArgs) -> anyhow::Result<Ending> {
    if matches!(
        args.show.output.output,
        OutputFormat::Ecs | OutputFormat::Ocsf | OutputFormat::Nemesis
    ) {
        let why = "-o: `ecs`, `ocsf` and `nemesis` are of events, and `hosts` sums them up";
        return Err(UsageError(why.to_owned()).into());
    }
    if !args.from.is_empty() {
        not_of_a_history(&[("--from", args.history.is_given())])?;
        return from::run(args);
    }
    if args.history.is_given() {
        return before(args);
    }
    let config = args.live.config.load()?;
    let enriching = Enriching::new(&config.enrich(&args.enrich))?;
    let mut hosts = Hosts::default();
    hosts.begin_live();
    let table = Table {
        hosts,
        is_watching: args.watch || args.duration.is_some(),
        screen: args
            .watch
            .then(|| Screen::of(&args.show.output))
            .transpose()?,
        shown: Shown::new(args, enriching.clone())?,
        is_whole: Rc::new(Cell::new(true)),
    };
    let duration = args.duration.map(std::time::Duration::from);
    let until = match duration {
        Some(duration) => Until::After(duration),
        None if args.watch => Until::Interrupted,
        None => {
            info!(target: NOTES, "{NOT_NOW}");
            Until::Surveyed
        }
    };
    let (facts, updates): (&[Fact], _) = match until {
        Until::Surveyed => (&[Fact::Existing], Updates::Never),
        _ if args.watch => (&Fact::ALL, Updates::Every(watch::INTERVAL)),
        _ => (&Fact::ALL, Updates::AtEnd),
    };
    let is_whole = table.is_whole.clone();
    let ending = live::run(Live {
        facts,
        selection: &args.show.selection,
        enriching: enriching.clone(),
        networks: &args.show.networks,
        config: &config,
        output: Output::Taken(Box::new(table)),
        kernel: &args.live,
        record: None,
        count: None,
        updates,
        udp_idle: std::time::Duration::MAX,
        states: false,
        discovery: None,
        cross_check: false,
        hash: args.details.hash,
        pods: None,
        until,
        reload: None,
    })?;
    Ok(if is_whole.get() {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    })
}

/// Shows who communicated, by what an agent has kept.
fn before(args: &HostsArgs) -> anyhow::Result<Ending> {
    not_of_a_history(&[
        ("--duration", args.duration.is_some()),
        ("--watch", args.watch),
        ("--hash", args.details.hash),
    ])?;
    let config = args.live.config.load()?;
    let question = Question {
        path: args.history.place.path(&config),
        selection: &args.show.selection,
        // Rows are what is enriched.
        enriching: Enriching::default(),
        networks: &args.show.networks,
    };
    if args.show.selection.wants_findings() {
        return Err(live::no_findings().into());
    }
    let mut hosts = Hosts::default();
    let ending = history::hosts(&question, &args.history, &mut hosts)?;
    let enriching = Enriching::new(&config.enrich(&args.enrich))?;
    Shown::new(args, enriching)?.write(&hosts, &history::here(), &[])?;
    Ok(if hosts.left_out() == 0 {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    })
}

/// Gathers records, and shows the rows of them when the last has come.
struct Table {
    hosts: Hosts,
    /// What happens in a while is shown, not only what is open now.
    is_watching: bool,
    /// Where it is kept up to date.
    screen: Option<Screen>,
    shown: Shown,
    /// There was room for all.
    is_whole: Rc<Cell<bool>>,
}

/// Where rows go, and how.
struct Shown {
    writer: Box<dyn Write>,
    /// What it is called in an error.
    name: String,
    output: OutputFormat,
    layout: Layout,
    grouping: Grouping,
    sort: Sort,
    enriching: Enriching,
}

impl RecordSink for Table {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        for record in records {
            self.hosts.record(record);
        }
        if matches!(records.last(), Some(Record::Stop(_))) {
            self.is_whole.set(self.hosts.left_out() == 0);
            let begin = self.screen.as_ref().map_or(&[][..], Screen::end);
            return self.shown.write(&self.hosts, clock, begin);
        }
        if self.screen.as_mut().is_some_and(Screen::is_due) {
            self.shown.layout.width = Some(terminal::width());
            let text = self.shown.text(&self.hosts, clock);
            return self.shown.put(&watch::frame(&text, terminal::height()));
        }
        Ok(Written::All)
    }

    fn surveyed(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.begin();
        } else if self.is_watching {
            info!(target: NOTES, "watching; Ctrl-C shows what was seen by then");
        }
    }
}

impl Shown {
    fn new(args: &HostsArgs, enriching: Enriching) -> anyhow::Result<Self> {
        let (writer, name) = live::writer(&args.show.output)?;
        Ok(Self {
            writer,
            name,
            output: args.show.output.output,
            layout: live::layout(&args.show.output),
            grouping: args.grouping(),
            sort: args.sort.into(),
            enriching,
        })
    }

    /// What is shown of them.
    fn text(&self, hosts: &Hosts, clock: &Clock) -> Vec<u8> {
        let mut rows = hosts.rows(self.grouping, self.sort);
        if let Some(enrichment) = self.enriching.now() {
            for row in &mut rows {
                enrichment.row(row);
            }
        }
        if self.enriching.is_of_threats {
            rows.retain(|row| !row.threat.is_empty());
        }
        let mut out = Vec::new();
        match self.output {
            OutputFormat::Json => format::json(hosts.runs(), &rows, &mut out),
            OutputFormat::Csv => format::csv(&rows, &mut out),
            OutputFormat::Table | OutputFormat::Wide => {
                format::table(hosts.runs(), &rows, self.layout, clock, &mut out);
            }
            // Refused at the beginning.
            OutputFormat::Ecs | OutputFormat::Ocsf | OutputFormat::Nemesis => {}
        }
        out
    }

    /// Writes all of it, behind what makes room for it.
    fn write(&mut self, hosts: &Hosts, clock: &Clock, begin: &[u8]) -> anyhow::Result<Written> {
        let text = self.text(hosts, clock);
        self.put(&[begin, &text].concat())
    }

    fn put(&mut self, text: &[u8]) -> anyhow::Result<Written> {
        let written = self.writer.write_all(text);
        match written.and_then(|()| self.writer.flush()) {
            Ok(()) => Ok(Written::All),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Closed),
            Err(error) => Err(error).with_context(|| format!("cannot write to {}", self.name)),
        }
    }
}
