//! Databases of addresses, and tables of accounts.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use tracer_core::{geo::Database, people::Profiles, text::printable};
use tracing::{info, warn};

use crate::run::NOTES;

/// Reads a database of addresses.
pub fn database(path: &Path) -> anyhow::Result<Database> {
    let (name, bytes) = read(path)?;
    let database = Database::read(bytes).map_err(|why| anyhow!("{name}: {}", printable(&why.0)))?;
    let seconds = i64::try_from(database.built()).unwrap_or(i64::MAX);
    let built = Timestamp::from_second(seconds).map_or_else(
        |_| "at no time".to_owned(),
        |built| built.strftime("%Y-%m-%d").to_string(),
    );
    info!(target: NOTES, "{name}: {}, made {built}", printable(database.kind()));
    Ok(database)
}

/// Reads a table of accounts.
pub fn accounts(path: &Path) -> anyhow::Result<Profiles> {
    let (name, bytes) = read(path)?;
    let profiles =
        Profiles::read(&bytes).map_err(|why| anyhow!("{name}: {}", printable(&why.0)))?;
    let (count, first) = &profiles.problems;
    for problem in first {
        warn!(
            "{name}, {}; all else counts",
            printable(&problem.to_string())
        );
    }
    let unused = printable(&profiles.unused.join(", "));
    let unused = if unused.is_empty() { "none" } else { &unused };
    info!(
        target: NOTES,
        "{name}: {} accounts; could not be read: {count}; columns that are not used: {unused}",
        profiles.len()
    );
    Ok(profiles)
}

fn read(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = printable(&path.display().to_string());
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    Ok((name, bytes))
}
