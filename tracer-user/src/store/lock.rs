//! A history has one writer.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use nix::fcntl::{Flock, FlockArg};

/// Who holds this writes to the history, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// If another process has it: says which.
    pub fn take(history: &Path) -> anyhow::Result<Self> {
        let path = beside(history);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // For whoever finds it locked; that it is does not depend on it.
                let _ = file.set_len(0);
                let _ = write!(file, "{}", std::process::id());
                Ok(Self { _file: file })
            }
            Err((file, _)) => Err(held(history, file)),
        }
    }
}

/// The file that is locked. The database has locks of its own, which its readers take, too.
fn beside(history: &Path) -> PathBuf {
    let mut path = history.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

fn held(history: &Path, file: File) -> anyhow::Error {
    let mut pid = String::new();
    let _ = file.take(16).read_to_string(&mut pid);
    let by = match pid.trim().parse::<u32>() {
        Ok(pid) => format!(", process {pid},"),
        Err(_) => String::new(),
    };
    anyhow!(
        "another agent{by} writes to the history {}: end it, or give this one another file with --history",
        history.display()
    )
}
