//! Feeds of indicators.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use tracer_core::{
    logs::Unreadable,
    text::printable,
    threat::{self, Feed},
};
use tracing::{info, warn};

use crate::run::NOTES;

/// Reads one of what is bad.
pub fn bad(path: &Path) -> anyhow::Result<Feed> {
    one(path, threat::read)
}

/// Reads one of what is harmless.
pub fn allowed(path: &Path) -> anyhow::Result<Feed> {
    one(path, threat::read_allowed)
}

/// Reads what is in a file.
type Read = fn(&str, &[u8]) -> Result<Feed, Unreadable>;

fn one(path: &Path, read: Read) -> anyhow::Result<Feed> {
    let name = printable(&path.display().to_string());
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let feed = read(&name, &bytes).map_err(|why| anyhow!("{name}: {}", printable(&why.0)))?;
    for problem in &feed.problems.first {
        warn!("{name}, {problem}; all else counts");
    }
    let special = &feed.special;
    if special.count > 0 {
        let some = printable(&special.first.join(", "));
        let count = special.count;
        warn!(
            "{name}: private or special, and met only where --external-cidr says otherwise: {some} ({count} in all)"
        );
    }
    let (indicators, problems) = (feed.indicators.len(), feed.problems.count);
    let not_used: u64 = feed.not_used.values().sum();
    info!(target: NOTES, "{name}: {indicators} indicators; not used: {not_used}; could not be read: {problems}");
    Ok(feed)
}
