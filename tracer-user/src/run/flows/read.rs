//! `conntracer flows read`: logs and exports, in one form.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use jiff::{Timestamp, Zoned};
use tracer_core::{
    flows::{
        export,
        read::{Around, Kind},
    },
    logs::{Log, NoKind, Readers, Taken},
    text::printable,
};
use tracing::{error, info};

use super::{
    deal,
    out::{self, NotWritten, Out, Sink},
    packets::{self, Senders},
    problems::Problems,
};
use crate::{
    cli::{FlowLogArgs, ReadFlowsArgs, VoiceArgs},
    output::progress::Progress,
    run::{
        Ending, NOTES,
        input::{self, Input},
    },
};

/// Reads them.
pub fn run(args: &ReadFlowsArgs) -> anyhow::Result<Ending> {
    out::unless_closed(read(args))
}

fn read(args: &ReadFlowsArgs) -> anyhow::Result<Ending> {
    let window = args.window.resolve(&Zoned::now())?;
    let mut out = Out::new(&args.out)?;
    out.judge.window = window;
    let mut reading = Reading::new(&args.log, &args.out.show.output.tone.voice, out);
    reading.files(&args.files)?;
    let (mut out, problems, ending) = reading.end()?;
    out.end()?;
    info!(
        target: NOTES,
        "flows: {}; not selected: {}; could not be read: {problems}",
        out.told,
        out.judge.left,
    );
    if !args.out.enrich.files.feed.is_empty() {
        info!(target: NOTES, "flows that meet an indicator: {}", out.judge.threats);
    }
    out.judge.check()?;
    Ok(ending)
}

/// Files that are read, one after the other: what one says of templates and connections, the next may need.
pub struct Reading<S> {
    out: S,
    format: Option<Kind>,
    readers: Readers<Kind>,
    senders: Senders,
    /// Nothing is said of how far it has come.
    is_quiet: bool,
    /// How much could not be read.
    problems: u64,
    ending: Ending,
}

impl<S: Sink> Reading<S> {
    /// What they tell goes there.
    pub fn new(log: &FlowLogArgs, voice: &VoiceArgs, out: S) -> Self {
        Self {
            out,
            format: log.format,
            readers: Readers::new(Around {
                zone: log.tz.clone(),
                year: log.year,
                fields: log.fields.as_deref().map(Into::into),
                now: Timestamp::now().into(),
            }),
            senders: Senders::default(),
            is_quiet: voice.quiet,
            problems: 0,
            ending: Ending::Done,
        }
    }

    /// Reads them.
    pub fn files(&mut self, paths: &[PathBuf]) -> anyhow::Result<()> {
        let files = input::files(paths)?;
        let mut progress = Progress::new(input::length(&files), "flows", !self.is_quiet);
        files
            .iter()
            .try_for_each(|path| self.file(path, &mut progress))
    }

    fn file(&mut self, path: &Path, progress: &mut Progress) -> anyhow::Result<()> {
        let input = Input::open_with(path, |raw| Box::new(progress.reading(raw)))?;
        self.input(input, progress)
    }

    /// Reads one.
    pub fn input(&mut self, input: Input, progress: &mut Progress) -> anyhow::Result<()> {
        let name = input.name.clone();
        let mut problems = Problems::new(&name);
        let result = if self.format.is_none() && packets::recognises(&input.begin) {
            self.packets(input, &mut problems, progress)
        } else {
            self.lines(input, &mut problems, progress)
        };
        self.problems += problems.end();
        match result {
            Err(error) if !error.is::<NotWritten>() => {
                // What is wrong with one file is no reason not to read the others.
                let error = printable(&format!("{error:#}"));
                error!("{error}; what was read before counts");
                self.ending = Ending::Failed;
                Ok(())
            }
            other => other,
        }
    }

    fn lines(
        &mut self,
        input: Input,
        problems: &mut Problems,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let name = input.name.clone();
        let no_format =
            || anyhow!("{name} looks like no flow log that is known; --format says what it is");
        let mut log = Log::new(&name, self.format, &mut self.readers);
        let mut taken = Taken::default();
        let result = input.lines(|line| {
            log.line(line, &mut taken).map_err(|NoKind| no_format())?;
            progress.count(taken.told.len());
            deal::lines(&mut taken, problems, &mut self.out)
        });
        // What waited for a line that a damaged file lacks is told, too.
        let ended = log.end(&mut taken).map_err(|NoKind| no_format());
        deal::lines(&mut taken, problems, &mut self.out)?;
        result.and(ended)
    }

    fn packets(
        &mut self,
        input: Input,
        problems: &mut Problems,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let name = printable(&input.name);
        let passed = packets::each(input, &mut self.senders, |taken| {
            progress.count(taken.flows.len());
            deal::packets(taken, problems, &mut self.out)
        })?;
        for (count, what) in [
            (
                passed.fragments,
                "parts of datagrams, which are not put together",
            ),
            (passed.others, "packets that no exporter sent"),
        ] {
            if count > 0 {
                info!(target: NOTES, "{name}: {count} {what}");
            }
        }
        Ok(())
    }

    /// There are no more files. How many problems there were, and how it ended.
    pub fn end(mut self) -> anyhow::Result<(S, u64, Ending)> {
        let mut taken = export::Taken::default();
        let mut problems = Problems::new("behind the last file");
        self.senders.exporters.end(&mut taken);
        deal::packets(&mut taken, &mut problems, &mut self.out)?;
        self.problems += problems.end();
        let ending = match self.problems {
            0 => self.ending,
            _ => self.ending.worse(Ending::Incomplete),
        };
        Ok((self.out, self.problems, ending))
    }
}
