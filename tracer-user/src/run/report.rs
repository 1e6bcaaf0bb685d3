//! `conntracer report`: one page of HTML of what a history or files tell.

use std::{
    io::{ErrorKind, IsTerminal as _, Write as _},
    path::PathBuf,
};

use anyhow::{Context as _, bail};
use jiff::Zoned;
use tracer_core::{
    record::Record,
    report::{Cover, Report, Span},
};

use super::{
    Ending,
    enrich::Enriching,
    files::{Files, Taker},
    history::{self, Question},
    live,
};
use crate::{
    cli::{Config, EnrichFiles, ReportArgs, UsageError},
    output::{file, stdout},
};

/// Writes the page.
pub fn run(args: &ReportArgs) -> anyhow::Result<Ending> {
    check_output(args)?;
    let config = args.config.load()?;
    let arguments = args.args.arguments(&config)?;
    let now = Zoned::now();
    let span = span(args, &now)?;
    live::say_what_is_shown(&arguments);
    let files = config.enrich_by(&args.enrich);
    let mut report = Report::new(span, arguments);
    if let Some(enrichment) = Enriching::of(&files)?.now() {
        report.enrich(enrichment);
    }
    let ending = if args.from.is_empty() {
        let question = Question {
            path: args.history.place.path(&config),
            selection: &args.selection,
            // Rows are told by them, not records.
            enriching: Enriching::default(),
            networks: &args.networks,
        };
        history::report(&question, args.history.window.resolve(&now)?, &mut report)?
    } else {
        let files = Files {
            paths: &args.from,
            selection: &args.selection,
            networks: &args.networks,
            discovery: Some(config.discovery()),
        };
        files.read(&mut report)?
    };
    let ending = if report.is_complete() {
        ending
    } else {
        ending.worse(Ending::Incomplete)
    };
    let page = report.page(&Cover {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made: now.timestamp(),
        sources: sources(args, &config, &files),
        selection: args.selection.words(),
    });
    put(args, page.as_bytes())?;
    Ok(ending)
}

/// Whoever waited for a page should not learn in the end that it has no place.
fn check_output(args: &ReportArgs) -> anyhow::Result<()> {
    match &args.output_file {
        Some(path) if path.is_file() && !args.force => {
            bail!("{} exists; --force overwrites it", path.display())
        }
        None if std::io::stdout().is_terminal() => {
            let why =
                "--output-file: a page is nothing for a terminal; name a file, or redirect stdout";
            Err(UsageError(why.to_owned()).into())
        }
        _ => Ok(()),
    }
}

/// What was read.
fn sources(args: &ReportArgs, config: &Config, files: &EnrichFiles) -> Vec<String> {
    let shown = |path: &PathBuf| path.display().to_string();
    let history = args.from.is_empty().then(|| {
        let path = args.history.place.path(config);
        format!("the history {}", path.display())
    });
    let read = args.from.iter().chain(files.paths()).map(shown);
    history.into_iter().chain(read).collect()
}

/// The window that was asked for; what was not asked for has no end in time.
fn span(args: &ReportArgs, now: &Zoned) -> Result<Span, UsageError> {
    if !args.history.window.is_given() {
        return Ok(Span::default());
    }
    let window = args.history.window.resolve(now)?;
    Ok(Span {
        since: window.since,
        // Clocks of other hosts may be ahead of this one's.
        until: window.until.filter(|_| args.history.window.until.is_some()),
    })
}

fn put(args: &ReportArgs, page: &[u8]) -> anyhow::Result<()> {
    let Some(path) = &args.output_file else {
        return stdout::put(page);
    };
    let mut file = file::create(path, args.force)?;
    match file.write_all(page).and_then(|()| file.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.with_context(|| format!("cannot write to {}", path.display())),
    }
}

impl Taker for Report {
    fn begin(&mut self) {
        self.begin();
    }

    fn record(&mut self, record: &Record) {
        self.record(record);
    }

    fn line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.line(line)
    }

    fn note(&mut self, sentence: &str) {
        self.note(sentence);
    }
}
