//! JSON below the roots of the machine.

use std::{
    collections::HashSet,
    io::{ErrorKind, Read as _},
};

use anyhow::ensure;
use serde::de::DeserializeOwned;
use tracing::warn;

use super::super::{below, namespaces};

/// Bytes of a file that are read. What lists all containers of a host has a kilobyte for each.
const FILE_MAX: u64 = 8 << 20;
/// Bytes that a name or an image may have; what is longer is none.
const TEXT_MAX: usize = 1024;
/// How many entries of a directory are looked at.
const ENTRIES_MAX: usize = 64;
/// How many damaged files are named.
const DAMAGED_MAX: usize = 256;

/// The roots of the machine: this process's, and the first process's where that is another.
pub fn roots() -> Vec<String> {
    let first = namespaces::is_first_elsewhere("mnt").then(|| "/proc/1/root".to_owned());
    std::iter::once("/".to_owned()).chain(first).collect()
}

/// The files of the machine.
pub struct Files {
    roots: Vec<String>,
    /// Files that were said to be damaged.
    damaged: HashSet<String>,
}

impl Files {
    /// Those below these roots, the first of which counts where several have a file.
    pub fn new(roots: Vec<String>) -> Self {
        Self {
            roots,
            damaged: HashSet::new(),
        }
    }

    /// What the first of the files says of which that can be made; none where there is none. A
    /// damaged one is passed over, and named once.
    pub fn json<T: DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        self.text(path, |text| Ok(serde_json::from_str(text)?))
    }

    /// The same, of a file that is not JSON.
    fn text<T>(&mut self, path: &str, read: impl Fn(&str) -> anyhow::Result<T>) -> Option<T> {
        for root in &self.roots {
            let file = match below::file(root, path) {
                Ok(file) => file,
                Err(error) if is_absent(error.kind()) => continue,
                Err(error) => {
                    damaged(&mut self.damaged, root, path, &error.into());
                    continue;
                }
            };
            match text_of(file).and_then(|text| read(&text)) {
                Ok(found) => return Some(found),
                Err(error) => damaged(&mut self.damaged, root, path, &error),
            }
        }
        None
    }

    /// The home of a user of the machine, without its leading slash.
    pub fn home_of(&mut self, uid: u32) -> Option<String> {
        let uid = uid.to_string();
        let home = |text: &str| {
            let homes = text.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let is_it = fields.get(2) == Some(&uid.as_str());
                fields.get(5).filter(|_| is_it).copied()
            });
            let mut homes = homes.map(|home| home.trim_start_matches('/').to_owned());
            Ok(homes.next())
        };
        self.text("etc/passwd", home)?
    }

    /// What there is in a directory, below all roots.
    pub fn names(&self, path: &str) -> Vec<String> {
        let roots = self.roots.iter();
        let mut names: Vec<String> = roots
            .flat_map(|root| below::names(root, path, ENTRIES_MAX))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Whether there is just no such file, or none for us.
fn is_absent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
    )
}

fn text_of(file: std::fs::File) -> anyhow::Result<String> {
    let mut text = String::new();
    let bytes = file.take(FILE_MAX + 1).read_to_string(&mut text)?;
    ensure!(
        u64::try_from(bytes)? <= FILE_MAX,
        "larger than {FILE_MAX} bytes"
    );
    Ok(text)
}

/// Says of a file, once, that it cannot be read.
fn damaged(known: &mut HashSet<String>, root: &str, path: &str, error: &anyhow::Error) {
    let whole = format!("{}/{path}", root.trim_end_matches('/'));
    if known.len() < DAMAGED_MAX && known.insert(whole.clone()) {
        warn!("{whole:?} does not tell what a container is called: {error}");
    }
}

/// A name, if it can be one.
pub fn name(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= TEXT_MAX).then(|| text.to_owned())
}
