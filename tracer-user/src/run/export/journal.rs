//! What was posted, so that nothing is posted twice: a file to which is appended, a line before each batch is
//! posted and one when the server has answered.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracer_core::{format::nemesis::rows::Told, text::hex};
use tracing::info;

use crate::{cli::NemesisExport, run::NOTES};

/// Letters of a row's key: 128 bits.
const KEY_LEN: usize = 32;

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is about to be posted; if nothing follows, nobody knows whether it was taken.
    Posting,
    /// The server said that it has it.
    Confirmed,
    /// The server has not got it, or refused it.
    Refused,
}

#[derive(Serialize, Deserialize)]
struct Line {
    state: State,
    rows: Vec<String>,
}

/// What was posted by this run and by those before it.
pub struct Journal {
    states: HashMap<String, State>,
    /// Where it is kept; `None`: by this run only.
    file: Option<(File, PathBuf)>,
}

/// Names a row among all that go to a server.
pub fn key(endpoint: &str, project: &str, told: &Told) -> String {
    let name = format!("{endpoint}\n{project}\n{}", told.name());
    let mut key = hex(&Sha256::digest(name.as_bytes()));
    key.truncate(KEY_LEN);
    key
}

/// Where it is: where the user says, or beside the first file that is posted.
pub fn path(args: &NemesisExport) -> Option<PathBuf> {
    let stdin = PathBuf::from("-");
    let beside = || {
        let mut name = args
            .from
            .iter()
            .find(|file| **file != stdin)?
            .clone()
            .into_os_string();
        name.push(".nemesis-journal");
        Some(PathBuf::from(name))
    };
    args.server.journal.clone().or_else(beside)
}

impl Journal {
    /// Opens it, or makes one that only its owner can read. `looks_only`: nothing is made or changed.
    ///
    /// # Errors
    /// If it cannot be read or written, another run uses it, or it is no journal.
    pub fn open(path: Option<PathBuf>, looks_only: bool) -> anyhow::Result<Self> {
        let Some(path) = path else {
            if !looks_only {
                info!(target: NOTES, "no journal is kept: what is posted now, another run may post again (--journal FILE)");
            }
            return Ok(Self {
                states: HashMap::new(),
                file: None,
            });
        };
        if looks_only && !path.exists() {
            return Ok(Self {
                states: HashMap::new(),
                file: None,
            });
        }
        let name = path.display().to_string();
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        if !looks_only {
            options.append(true).create(true);
        }
        let mut file = options
            .open(&path)
            .with_context(|| format!("cannot open the journal {name}"))?;
        if !looks_only && file.try_lock().is_err() {
            bail!("the journal {name} is in use by another run");
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(|| format!("cannot read the journal {name}"))?;
        // A line that was cut off was not on the disk, so what it says had not been done.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let states = states(text.get(..whole).unwrap_or_default())
            .with_context(|| format!("{name} is no journal of an export"))?;
        if looks_only {
            return Ok(Self { states, file: None });
        }
        if whole < text.len() {
            let whole = u64::try_from(whole)?;
            file.set_len(whole)
                .with_context(|| format!("cannot write the journal {name}"))?;
        }
        info!(target: NOTES, "what is posted is noted in {name}");
        Ok(Self {
            states,
            file: Some((file, path)),
        })
    }

    /// What is known of a row.
    pub fn state(&self, key: &str) -> Option<State> {
        self.states.get(key).copied()
    }

    /// Notes what is known now, on the disk.
    ///
    /// # Errors
    /// If that cannot be written: nothing may be posted then.
    pub fn write(&mut self, state: State, keys: &[String]) -> anyhow::Result<()> {
        for key in keys {
            self.states.insert(key.clone(), state);
        }
        let Some((file, path)) = &mut self.file else {
            return Ok(());
        };
        let line = Line {
            state,
            rows: keys.to_vec(),
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        file.write_all(&text)
            .and_then(|()| file.sync_data())
            .with_context(|| format!("cannot write the journal {}", path.display()))
    }
}

fn states(text: &str) -> Result<HashMap<String, State>, serde_json::Error> {
    let mut states = HashMap::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line)?;
        states.extend(line.rows.into_iter().map(|key| (key, line.state)));
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let directory =
            std::env::temp_dir().join(format!("conntracer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn the_last_word_of_a_row_counts_and_half_a_line_does_not() {
        let directory = directory("journal");
        let path = directory.join("journal");
        let open = || Journal::open(Some(path.clone()), false);
        let mut journal = open().unwrap();
        assert!(open().is_err(), "two runs at once");
        let (one, two) = ("one".to_owned(), "two".to_owned());
        journal
            .write(State::Posting, &[one.clone(), two.clone()])
            .unwrap();
        journal
            .write(State::Confirmed, std::slice::from_ref(&one))
            .unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"state\":\"confirmed\",\"rows\":[\"tw")
            .unwrap();
        drop(file);
        let mut journal = open().unwrap();
        assert_eq!(journal.state("one"), Some(State::Confirmed));
        assert_eq!(journal.state("two"), Some(State::Posting));
        journal.write(State::Refused, &[two]).unwrap();
        drop(journal);
        assert_eq!(open().unwrap().state("two"), Some(State::Refused));
        std::fs::write(&path, "not a journal\n").unwrap();
        assert!(open().is_err());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
