//! `conntracer replay`: reads the recording and nothing else of the machine it runs on.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use anyhow::Context as _;
use tracer_core::{
    decode::{decode, kind_of},
    fact::{Account, Fact},
    pipeline::Pipeline,
    record::Record,
    recording::{Entry, Header, ReadError, Reader, Recorded},
};
use tracing::{error, warn};

use super::{Ending, trace};
use crate::{
    cli::{ReplayArgs, Surroundings},
    output::sink::{Sink, Written},
};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Replays a recording.
pub fn run(args: &ReplayArgs) -> anyhow::Result<Ending> {
    let name = args.file.display().to_string();
    let mut input = open(&args.file)?;
    let mut reader = Reader::default();
    let mut piece = vec![0; PIECE];
    let mut replay: Option<Replay<'_>> = None;
    loop {
        let len = input
            .read(&mut piece)
            .with_context(|| format!("cannot read {name}"))?;
        reader.feed(piece.get(..len).unwrap_or_default());
        let step = match &mut replay {
            None => Replay::begin(args, &mut reader).map(|begun| replay = begun),
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
                replay.sink.flush()?;
                return Err(error).with_context(|| format!("cannot replay {name} any further"));
            }
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(file))
}

/// A replay under way.
struct Replay<'a> {
    args: &'a ReplayArgs,
    header: Header,
    /// Facts from before the first one that needs the selection, which needs the accounts.
    early: Vec<Fact>,
    pipeline: Option<Pipeline>,
    sink: Sink<Box<dyn Write>>,
    records: Vec<Record>,
    has_stopped: bool,
}

impl<'a> Replay<'a> {
    /// Reads the header, once it is there.
    fn begin(args: &'a ReplayArgs, reader: &mut Reader) -> anyhow::Result<Option<Self>> {
        let Some(header) = reader.header()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            args,
            header,
            early: Vec::new(),
            pipeline: None,
            sink: trace::sink(&args.output)?,
            records: Vec::new(),
            has_stopped: false,
        }))
    }

    /// Deals with the entries that have arrived.
    fn drain(&mut self, reader: &mut Reader) -> anyhow::Result<Written> {
        while let Some(entry) = reader.entry()? {
            self.entry(entry)?;
            let Some(pipeline) = &self.pipeline else {
                continue;
            };
            if self.sink.write(&self.records, pipeline.clock())? == Written::Closed {
                return Ok(Written::Closed);
            }
            self.records.clear();
        }
        // More may be long in coming, if it is being recorded now.
        self.sink.flush()
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
    fn was_selected_so(&self) -> bool {
        let Recorded::Selected(words) = &self.header.selection else {
            return false;
        };
        let is_same = *words == self.args.selection.words();
        if !is_same && !words.is_empty() {
            warn!(
                "{} holds only what was selected when it was made: {}",
                self.args.file.display(),
                words.join(" ")
            );
        }
        is_same
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
        })?;
        let kernel_selected = self.was_selected_so() && selection.may_drop_in_kernel();
        let mut pipeline = Pipeline::new(selection, kernel_selected, self.header.clock.clone())
            .limited_to(self.args.count);
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

    /// The recording has been read.
    fn finish(&mut self, reader: &Reader, name: &str) -> anyhow::Result<Ending> {
        self.sink.flush()?;
        if let Err(cut) = reader.finish() {
            error!("{name} was cut off: {cut}; shown is what comes before");
            return Ok(Ending::Failed);
        }
        if !self.has_stopped {
            error!("{name} was cut off: it has no end; shown is what there is");
            return Ok(Ending::Failed);
        }
        let is_complete = self
            .pipeline
            .as_ref()
            .is_some_and(|pipeline| pipeline.totals().is_complete());
        Ok(if is_complete {
            Ending::Done
        } else {
            Ending::Incomplete
        })
    }
}
