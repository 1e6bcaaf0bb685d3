//! `conntracer replay`: reads the recording and nothing else of the machine it runs on.

use std::{fs::File, io::Read, path::Path};

use anyhow::Context as _;
use tracer_core::{
    decode::{decode, kind_of},
    discovery::Elements,
    fact::{Account, Fact},
    pipeline::Pipeline,
    record::Record,
    recording::{self, Entry, Header, ReadError, Reader},
};
use tracing::{error, info, warn};

use super::{Ending, NOTES, enrich::Enriching, live, told::Told};
use crate::{
    cli::{Config, NetworkArgs, ReplayArgs, SelectionArgs, Surroundings, check_findings},
    kernel::ladder,
    output::sink::{RecordSink, Written},
};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Records that are gathered before they are written.
const RECORDS_MAX: usize = 1024;

/// A recording that is replayed.
pub struct Recorded<'a> {
    /// Where it is.
    pub file: &'a Path,
    /// What is shown.
    pub selection: &'a SelectionArgs,
    /// What files say of other hosts.
    pub enriching: &'a Enriching,
    /// Networks in place of those that were recorded.
    pub networks: &'a NetworkArgs,
    /// How many records about connections are written at most.
    pub count: Option<u64>,
    /// Who looked at connections is told, by these elements.
    pub discovery: Option<Elements>,
    /// It may have been changed.
    pub no_verify: bool,
}

/// Replays a recording.
pub fn run(args: &ReplayArgs) -> anyhow::Result<Ending> {
    // Of a machine that is not the traced one, nothing is read.
    let config = Config::default();
    let discovery = args.findings.elements(&args.show.selection, &config);
    check_findings(args.show.output.output, discovery.as_ref())?;
    let enriching = Enriching::new(&args.enrich)?;
    let recorded = Recorded {
        file: &args.file,
        selection: &args.show.selection,
        enriching: &enriching,
        networks: &args.show.networks,
        count: args.count,
        discovery,
        no_verify: args.no_verify,
    };
    args.format.check(args.show.output.output)?;
    let sink = || {
        let sink = live::sink(&args.show.output, &args.table, &args.format, &config)?;
        Ok(Box::new(sink) as Box<dyn RecordSink>)
    };
    replay(&recorded, open(&args.file)?, sink)
}

/// Replays what is read to a sink, which is made once it is known to be a recording.
pub fn replay<'a>(
    args: &'a Recorded<'a>,
    mut input: impl Read,
    sink: impl FnOnce() -> anyhow::Result<Box<dyn RecordSink + 'a>>,
) -> anyhow::Result<Ending> {
    let name = args.file.display().to_string();
    let mut sink = Some(sink);
    let mut reader = if args.no_verify {
        Reader::trusting()
    } else {
        Reader::default()
    };
    let mut piece = vec![0; PIECE];
    let mut replay: Option<Replay<'_>> = None;
    loop {
        let len = input
            .read(&mut piece)
            .with_context(|| format!("cannot read {name}"))?;
        reader.feed(piece.get(..len).unwrap_or_default());
        if len == 0 {
            reader.end();
        }
        let step = match &mut replay {
            None => Replay::begin(args, &mut reader, &mut sink).map(|begun| replay = begun),
            Some(_) => Ok(()),
        };
        step.with_context(|| format!("cannot replay {name}"))?;
        let Some(replay) = &mut replay else {
            if len == 0 {
                let cut = reader.finish().and(Err(ReadError::NotARecording));
                return cut.with_context(|| format!("cannot replay {name}"));
            }
            continue;
        };
        match replay.drain(&mut reader) {
            Ok(Written::All) if len > 0 => {}
            Ok(Written::All) => return replay.finish(&reader, &name),
            Ok(Written::Closed) => return Ok(Ending::Done),
            Err(error) => {
                replay.write()?;
                replay.sink.end()?;
                return Err(error).with_context(|| format!("cannot replay {name} any further"));
            }
        }
    }
}

/// Opens a file, or stdin.
pub fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(file))
}

/// Whether a hook is one of those that are attached for findings of discovery.
fn is_of_discovery(hook: &str) -> bool {
    let mut facts = ladder::Fact::DISCOVERY.into_iter();
    facts.any(|fact| fact.name() == hook)
}

/// A replay under way.
struct Replay<'a> {
    args: &'a Recorded<'a>,
    header: Header,
    /// Facts from before the first one that needs the selection, which needs the accounts.
    early: Vec<Fact>,
    pipeline: Option<Pipeline>,
    sink: Box<dyn RecordSink + 'a>,
    records: Vec<Record>,
    /// What was said of it beside its records.
    told: Told,
    has_stopped: bool,
}

impl<'a> Replay<'a> {
    /// Reads the header, once it is there.
    fn begin<F>(
        args: &'a Recorded<'a>,
        reader: &mut Reader,
        sink: &mut Option<F>,
    ) -> anyhow::Result<Option<Self>>
    where
        F: FnOnce() -> anyhow::Result<Box<dyn RecordSink + 'a>>,
    {
        let Some(header) = reader.header()? else {
            return Ok(None);
        };
        let Some(sink) = sink.take() else {
            return Ok(None);
        };
        Ok(Some(Self {
            args,
            header,
            early: Vec::new(),
            pipeline: None,
            sink: sink()?,
            records: Vec::new(),
            told: Told::default(),
            has_stopped: false,
        }))
    }

    /// Deals with the entries that have arrived.
    fn drain(&mut self, reader: &mut Reader) -> anyhow::Result<Written> {
        while let Some(entry) = reader.entry()? {
            self.entry(entry)?;
            if self.records.len() >= RECORDS_MAX && self.write()? == Written::Closed {
                return Ok(Written::Closed);
            }
        }
        // More may be long in coming, if it is being recorded now.
        self.write()
    }

    /// Hands over the records.
    fn write(&mut self) -> anyhow::Result<Written> {
        let Some(pipeline) = &self.pipeline else {
            return Ok(Written::All);
        };
        self.told.records(&self.records);
        let written = self.sink.take(&self.records, pipeline.clock());
        self.records.clear();
        written
    }

    fn entry(&mut self, entry: Entry<'_>) -> anyhow::Result<()> {
        if self.pipeline.is_none() {
            if let Entry::Fact(fact) = entry {
                self.early.push(*fact);
                return Ok(());
            }
            self.pipeline = Some(self.make_pipeline()?);
        }
        let Some(pipeline) = &mut self.pipeline else {
            return Ok(());
        };
        match entry {
            Entry::Frame(bytes) => match decode(bytes) {
                Ok(frame) => pipeline.frame(frame, &mut self.records),
                Err(why) => {
                    warn!("a frame makes no sense: {why}");
                    pipeline.undecodable(kind_of(bytes));
                }
            },
            Entry::Fact(fact) => {
                if self.is_wanted(&fact)
                    && let Some(pipeline) = &mut self.pipeline
                {
                    pipeline.learn(&fact, &mut self.records);
                }
            }
            Entry::Counters(time_ns, counters) => {
                pipeline.count(time_ns, counters, &mut self.records);
            }
            Entry::Start(time_ns) => pipeline.start(time_ns, &mut self.records),
            Entry::Surveyed(_) => pipeline.surveyed(&mut self.records),
            Entry::Stop(time_ns) => {
                self.has_stopped = true;
                pipeline.stop(time_ns, &mut self.records);
            }
        }
        Ok(())
    }

    /// Networks given now stand in place of those that were recorded.
    fn is_wanted(&self, fact: &Fact) -> bool {
        !matches!(fact, Fact::Networks(_)) || self.args.networks.is_empty()
    }

    /// Whether what is selected now is what was selected for the recording. Says so if something
    /// else was, for what was left out then is missing now.
    fn was_selected_so(&mut self) -> bool {
        let recording::Recorded::Selected(words) = &self.header.selection else {
            return false;
        };
        let is_same = *words == self.args.enriching.words(self.args.selection);
        if !is_same && !words.is_empty() {
            let text = format!(
                "{} holds only what was selected when it was made: {}",
                self.args.file.display(),
                words.join(" ")
            );
            self.sink.note(&text);
            warn!("{text}");
        }
        is_same
    }

    /// Says if nothing in it shows what processes did to learn of connections.
    fn say_what_is_not_found(&mut self) {
        let has_hooks = |fact: &Fact| match fact {
            Fact::Tracing(tracing) => {
                let mut hooks = tracing.hooks.iter();
                hooks.any(|hook| is_of_discovery(&hook.name))
            }
            _ => false,
        };
        if self.args.discovery.is_some() && !self.early.iter().any(has_hooks) {
            let text = format!(
                "{} was recorded without --discovery: only executed utilities are found in it",
                self.args.file.display()
            );
            self.sink.note(&text);
            warn!("{text}");
        }
    }

    fn make_pipeline(&mut self) -> anyhow::Result<Pipeline> {
        let users: Vec<Account> = self
            .early
            .iter()
            .find_map(|fact| match fact {
                Fact::Users(users) => Some(users.clone()),
                _ => None,
            })
            .unwrap_or_default();
        let selection = self.args.selection.resolve(&Surroundings {
            users: &users,
            is_live: false,
            may_have_more_users: false,
        })?;
        let selection = self.args.enriching.select(selection);
        let kernel_selected = self.was_selected_so() && selection.may_drop_in_kernel();
        let mut pipeline = Pipeline::new(selection, kernel_selected, self.header.clock.clone())
            .limited_to(self.args.count)
            .discovering(self.args.discovery.clone());
        if let Some(enrichment) = self.args.enriching.now() {
            pipeline.enrich(enrichment);
        }
        self.say_what_is_not_found();
        for fact in std::mem::take(&mut self.early) {
            if self.is_wanted(&fact) {
                pipeline.learn(&fact, &mut self.records);
            }
        }
        if !self.args.networks.is_empty() {
            let networks = Fact::Networks(self.args.networks.networks());
            pipeline.learn(&networks, &mut self.records);
        }
        Ok(pipeline)
    }

    /// Not all could be read.
    fn fail(&mut self, why: &str) -> Ending {
        self.sink.note(why);
        error!("{why}");
        Ending::Failed
    }

    /// The recording has been read.
    fn finish(&mut self, reader: &Reader, name: &str) -> anyhow::Result<Ending> {
        self.write()?;
        self.sink.end()?;
        if let Err(cut) = reader.finish() {
            return Ok(self.fail(&format!(
                "{name} was cut off: {cut}; shown is what comes before"
            )));
        }
        if !self.has_stopped {
            return Ok(self.fail(&format!(
                "{name} was cut off: it has no end; shown is what there is"
            )));
        }
        if let Some(hash) = reader.last() {
            let text = format!("{name} is as it was written; it ends with the hash {hash}");
            self.sink.note(&text);
            info!(target: NOTES, "{text}");
        }
        let ending = self.pipeline.as_ref().map(Ending::of);
        Ok(ending.unwrap_or(Ending::Incomplete))
    }
}
