//! Feeds of indicators, of files that the user names.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow};
use tracer_core::{
    logs::Unreadable,
    text::printable,
    threat::{self, Feed, Indicators, Options},
};
use tracing::{info, warn};

use crate::{cli::FeedArgs, run::NOTES};

/// Reads them, and says what of them is not used.
///
/// # Errors
/// If one cannot be read: what it would have shown nobody would miss.
pub fn read(args: &FeedArgs) -> anyhow::Result<Indicators> {
    let feeds = all(&args.feed, threat::read)?;
    let allowed = all(&args.allow, threat::read_allowed)?;
    Ok(Indicators::new(&feeds, &allowed, Options::default()))
}

/// Reads what is in a file.
type Read = fn(&str, &[u8]) -> Result<Feed, Unreadable>;

fn all(paths: &[PathBuf], read: Read) -> anyhow::Result<Vec<Arc<Feed>>> {
    paths.iter().map(|path| one(path, read)).collect()
}

fn one(path: &PathBuf, read: Read) -> anyhow::Result<Arc<Feed>> {
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
            "{name}: {count} networks are private or special, where it is not asked about: {some}"
        );
    }
    let (indicators, problems) = (feed.indicators.len(), feed.problems.count);
    let not_used: u64 = feed.not_used.values().sum();
    info!(target: NOTES, "{name}: {indicators} indicators; not used: {not_used}; could not be read: {problems}");
    Ok(Arc::new(feed))
}
