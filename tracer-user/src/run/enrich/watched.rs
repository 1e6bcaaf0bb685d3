//! A file that is read again when it changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tracer_core::text::printable;
use tracing::{info, warn};

use crate::run::NOTES;

/// Reads what is in a file.
pub type Read<T> = fn(&Path) -> anyhow::Result<T>;

/// What tells that a file has changed: when it was written, its length, and which file it is.
type Stamp = (SystemTime, u64, u64);

/// A file, and what it said when it could be read last.
pub struct Watched<T> {
    path: PathBuf,
    stamp: Option<Stamp>,
    read: Read<T>,
    /// What it says.
    pub content: Arc<T>,
}

impl<T> Watched<T> {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path, read: Read<T>) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            // What is written from here on is a change.
            stamp: stamp(path),
            read,
            content: Arc::new(read(path)?),
        })
    }

    /// Reads it again, if it has changed. Whether it says something new.
    pub fn look(&mut self) -> Option<()> {
        let stamp = stamp(&self.path);
        // A pipe is read once; what is being replaced may be gone for a moment.
        if stamp.is_none() || stamp == self.stamp {
            return None;
        }
        self.stamp = stamp;
        match (self.read)(&self.path) {
            Ok(content) => {
                self.content = Arc::new(content);
                let name = printable(&self.path.display().to_string());
                info!(target: NOTES, "{name} has changed, and was read again");
                Some(())
            }
            Err(error) => {
                let error = printable(&format!("{error:#}"));
                warn!("{error}; what was read of it before goes on");
                None
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(path: &Path) -> anyhow::Result<u32> {
        Ok(fs::read_to_string(path)?.trim().parse()?)
    }

    #[test]
    fn a_file_that_breaks_goes_on_as_it_was() {
        let name = format!("conntracer-watched-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, "1").unwrap();
        let mut watched = Watched::open(&path, number).unwrap();
        assert_eq!(watched.look(), None);
        fs::write(&path, "22").unwrap();
        assert_eq!(watched.look(), Some(()));
        assert_eq!(*watched.content, 22);
        fs::write(&path, "no number").unwrap();
        assert_eq!(watched.look(), None);
        assert_eq!(*watched.content, 22);
        fs::remove_file(&path).unwrap();
        assert_eq!(watched.look(), None);
        fs::write(&path, "333").unwrap();
        assert_eq!(watched.look(), Some(()));
        assert_eq!(*watched.content, 333);
        fs::remove_file(&path).unwrap();
        assert!(Watched::open(&path, number).is_err());
    }
}
