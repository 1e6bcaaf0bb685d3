//! `conntracer discovery read`: who looked at the connections of a host, device or cloud, by its logs.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use tracer_core::{
    discovery::{Act, Finding, Judge, Severity, read::Kind},
    format::findings,
    logs::{Log, NoKind, Problem, Readers, Taken},
    text::printable,
};
use tracing::{error, info};

use crate::{
    cli::{OutputFormat, ReadArgs, UsageError},
    run::{
        Ending, NOTES,
        input::{self, Input},
        live,
    },
};

/// Of so many lines of a file that cannot be read it is said why not; all are counted.
const NAMED_MAX: u64 = 10;

/// Tells who did.
pub fn run(args: &ReadArgs) -> anyhow::Result<Ending> {
    let write = writer_of(args)?;
    let mut judge = Judge::new(args.config.load()?.discovery());
    let mut readers = Readers::new(args.year.unwrap_or_else(this_year));
    let mut unreadable = 0;
    for path in &input::files(&args.files)? {
        let mut reading = Reading {
            name: path.display().to_string(),
            judge: &mut judge,
            unreadable: 0,
        };
        reading.all(path, args.kind, &mut readers)?;
        unreadable += reading.unreadable;
    }
    let (mut findings, passed) = judge.end();
    let least = Severity::from(args.severity);
    findings.retain(|finding| finding.severity >= least);
    let (mut writer, name) = live::writer(&args.output)?;
    let mut out = Vec::new();
    for (seq, finding) in (1..).zip(&mut findings) {
        finding.head.seq = seq;
        write(finding, &mut out);
    }
    writer
        .write_all(&out)
        .and_then(|()| writer.flush())
        .with_context(|| format!("cannot write {name}"))?;
    info!(
        target: NOTES,
        "{} findings; not told: {} of allowed principals, {} of users out of scope; {unreadable} lines could not be read",
        findings.len(),
        passed.allowed,
        passed.out_of_scope,
    );
    if passed.left_out > 0 {
        error!(
            "there was no room for {} acts: read less at once",
            passed.left_out
        );
    }
    Ok(if unreadable + passed.left_out > 0 {
        Ending::Incomplete
    } else {
        Ending::Done
    })
}

type Write = Box<dyn Fn(&Finding, &mut Vec<u8>)>;

/// What writes a finding.
fn writer_of(args: &ReadArgs) -> Result<Write, UsageError> {
    let layout = live::layout(&args.output);
    Ok(match args.output.output {
        OutputFormat::Table | OutputFormat::Wide => Box::new(move |finding, out| {
            let time = utc(&finding.head.time);
            findings::table(finding, &time, layout, out);
        }),
        OutputFormat::Json => Box::new(findings::json),
        OutputFormat::Ecs => Box::new(findings::ecs),
        OutputFormat::Ocsf => Box::new(findings::ocsf),
        OutputFormat::Csv | OutputFormat::Nemesis => {
            let why = "-o: `csv` and `nemesis` are of connections; findings have table, json, ecs and ocsf";
            return Err(UsageError(why.to_owned()));
        }
    })
}

/// A time of a record, to the second.
fn utc(time: &str) -> String {
    let second = time.split('.').next().unwrap_or(time);
    second.replacen('T', " ", 1)
}

fn this_year() -> i16 {
    jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .year()
}

/// A file that is read.
struct Reading<'a> {
    name: String,
    judge: &'a mut Judge,
    unreadable: u64,
}

impl Reading<'_> {
    /// Reads it, and hands over what was done.
    fn all(
        &mut self,
        path: &Path,
        kind: Option<Kind>,
        readers: &mut Readers<Kind>,
    ) -> anyhow::Result<()> {
        let input = Input::open(path)?;
        let mut log = Log::new(&self.name, kind, readers);
        let mut taken = Taken::default();
        input.lines(|line| {
            log.line(line, &mut taken)
                .map_err(|NoKind| self.no_kind())?;
            self.deal(&mut taken);
            Ok(())
        })?;
        log.end(&mut taken).map_err(|NoKind| self.no_kind())?;
        self.deal(&mut taken);
        if self.unreadable > NAMED_MAX {
            let (name, count) = (printable(&self.name), self.unreadable);
            error!("{name}: {count} lines could not be read");
        }
        Ok(())
    }

    fn deal(&mut self, taken: &mut Taken<Act>) {
        for act in taken.told.drain(..) {
            self.judge.take(act);
        }
        for Problem { origin, why } in taken.problems.drain(..) {
            self.unreadable += 1;
            if self.unreadable <= NAMED_MAX {
                let (name, why) = (printable(&self.name), printable(&why.0));
                error!("{name}, line {}: {why}; the other lines count", origin.line);
            }
        }
    }

    fn no_kind(&self) -> anyhow::Error {
        let name = &self.name;
        anyhow!("{name} looks like no log that is known; --kind says what it is")
    }
}
