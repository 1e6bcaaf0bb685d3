//! `conntracer history`: looking after the file.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, bail};
use tracer_core::{history::Span, text::printable};
use tracing::{error, info};

use super::{here, import::import};
use crate::{
    cli::{
        ExportHistoryArgs, HistoryCommand, HistoryCommandArgs, InfoArgs, InfoFormat, PruneArgs,
        VerifyArgs, WhichArgs,
    },
    output::{file, stdout},
    run::{Ending, NOTES},
    store::{
        Book, prune,
        read::{History, Info},
    },
};

/// Does what is asked of it.
pub fn command(args: &HistoryCommandArgs) -> anyhow::Result<Ending> {
    match &args.what {
        HistoryCommand::Info(args) => info(args),
        HistoryCommand::Prune(args) => prune_one(args),
        HistoryCommand::Export(args) => export(args),
        HistoryCommand::Import(args) => import(args),
        HistoryCommand::Verify(args) => verify(args),
    }
}

fn path_of(which: &WhichArgs) -> anyhow::Result<PathBuf> {
    Ok(which.place.path(&which.config.load()?))
}

fn info(args: &InfoArgs) -> anyhow::Result<Ending> {
    let path = path_of(&args.which)?;
    let history = History::open(&path)?;
    let info = history.info(&path)?;
    let text = match args.output {
        InfoFormat::Json => serde_json::to_string(&info)? + "\n",
        InfoFormat::Table => told(&history, &info)?,
    };
    stdout::put(text.as_bytes())?;
    Ok(Ending::Done)
}

/// What a history has, for people.
fn told(history: &History, info: &Info) -> anyhow::Result<String> {
    let clock = here();
    let local = |time: &str| clock.local_day(time);
    let mut text = format!(
        "history {} of {}, schema {}; times are {}\n",
        printable(&info.file),
        printable(&info.host),
        info.schema,
        printable(&clock.zone())
    );
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024);
    writeln!(
        text,
        "{}, of which {} can be used anew",
        mib(info.bytes),
        mib(info.free_bytes)
    )?;
    writeln!(
        text,
        "{} connections, {} counts, {} other records, {} sums, {} owners",
        info.connections, info.counts, info.others, info.sums, info.owners
    )?;
    for kept in &info.kept {
        writeln!(
            text,
            "{} before {} were removed",
            kept.what,
            local(&kept.since)
        )?;
    }
    let runs = history.runs()?;
    for run in &info.runs {
        let end = if run.has_stopped {
            "stopped"
        } else {
            "last heard of"
        };
        let (since, until) = (local(&run.started), local(&run.until));
        writeln!(text, "run {since} to {until}, {end}")?;
    }
    if let (Some(first), Some(last)) = (runs.first(), runs.last()) {
        let span = Span {
            since: first.started(),
            until: last.until(),
        };
        for one in history.uncovered(&runs, span)? {
            writeln!(text, "{}", one.sentence(&clock))?;
        }
    }
    Ok(text)
}

fn prune_one(args: &PruneArgs) -> anyhow::Result<Ending> {
    let config = args.which.config.load()?;
    let path = args.which.place.path(&config);
    if !path.exists() {
        bail!("there is no history {}", path.display());
    }
    let settings = config.history_settings(args.keep, args.max_size)?;
    let mut book = Book::open(&path, settings.arguments)?;
    let before = std::fs::metadata(&path).map_or(0, |file| file.len());
    prune(&mut book, settings.keep)
        .with_context(|| format!("cannot remove what is old from {}", path.display()))?;
    drop(book);
    let after = std::fs::metadata(&path).map_or(0, |file| file.len());
    info!(
        target: NOTES,
        "{}: {} KiB before, {} KiB now", path.display(), before >> 10, after >> 10
    );
    Ok(Ending::Done)
}

fn export(args: &ExportHistoryArgs) -> anyhow::Result<Ending> {
    let history = History::open(&path_of(&args.which)?)?;
    // Nobody else may read it, from the beginning.
    drop(file::create(&args.output_file, args.force)?);
    history
        .copy_to(&args.output_file)
        .with_context(|| format!("cannot write {}", args.output_file.display()))?;
    Ok(Ending::Done)
}

fn verify(args: &VerifyArgs) -> anyhow::Result<Ending> {
    let path = path_of(&args.which)?;
    let wrong = History::open(&path)?
        .verify()
        .with_context(|| format!("{} cannot be read", path.display()))?;
    for sentence in &wrong {
        error!("{}: {}", path.display(), printable(sentence));
    }
    if wrong.is_empty() {
        info!(target: NOTES, "{} is whole, and its sums are those of its connections", path.display());
        return Ok(Ending::Done);
    }
    Ok(Ending::Failed)
}
