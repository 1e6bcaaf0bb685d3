//! Writing a recording.

use std::{io::Write, path::Path};

use anyhow::Context as _;
use tracer_core::recording::{Entry, Hash, Header, Writer};

use super::file;

/// Writes what the run takes in, in the order in which it is processed.
pub struct Recorder {
    to: Box<dyn Write + Send>,
    name: String,
    writer: Writer,
    pending: Vec<u8>,
}

/// Entries are written in pieces of this many bytes, and at the end of each batch.
const PIECE: usize = 256 << 10;

impl Recorder {
    /// Begins a recording at `path`; `-` is stdout.
    pub fn create(path: &Path, force: bool, header: &Header) -> anyhow::Result<Self> {
        let (to, name): (Box<dyn Write + Send>, String) = if path == Path::new("-") {
            (Box::new(std::io::stdout()), "stdout".to_owned())
        } else {
            let file = file::create(path, force)?;
            (Box::new(file), path.display().to_string())
        };
        let mut pending = Vec::new();
        let writer = Writer::begin(header, &mut pending)?;
        let mut recorder = Self {
            to,
            name,
            writer,
            pending,
        };
        recorder.flush()?;
        Ok(recorder)
    }

    /// Appends an entry.
    pub fn entry(&mut self, entry: &Entry<'_>) -> anyhow::Result<()> {
        self.writer.entry(entry, &mut self.pending)?;
        if self.pending.len() >= PIECE {
            self.flush()?;
        }
        Ok(())
    }

    /// The last hash in it.
    pub fn last_hash(&self) -> Hash {
        self.writer.last()
    }

    /// Hands over what is buffered, with its hash.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.writer.seal(&mut self.pending);
        let result = self.to.write_all(&self.pending);
        self.pending.clear();
        result
            .and_then(|()| self.to.flush())
            .with_context(|| format!("cannot write the recording to {}", self.name))
    }
}
