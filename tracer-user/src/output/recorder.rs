//! Writing a recording.

use std::{io::Write, path::Path};

use anyhow::Context as _;
use tracer_core::recording::{Entry, Header, write_entry, write_header};

use super::file;

/// Writes what the run takes in, in the order in which it is processed.
pub struct Recorder {
    writer: Box<dyn Write + Send>,
    name: String,
    pending: Vec<u8>,
}

/// Entries are written in pieces of this many bytes, and at the end of each batch.
const PIECE: usize = 256 << 10;

impl Recorder {
    /// Begins a recording at `path`; `-` is stdout.
    pub fn create(path: &Path, force: bool, header: &Header) -> anyhow::Result<Self> {
        let (writer, name): (Box<dyn Write + Send>, String) = if path == Path::new("-") {
            (Box::new(std::io::stdout()), "stdout".to_owned())
        } else {
            let file = file::create(path, force)?;
            (Box::new(file), path.display().to_string())
        };
        let mut pending = Vec::new();
        write_header(header, &mut pending)?;
        let mut recorder = Self {
            writer,
            name,
            pending,
        };
        recorder.flush()?;
        Ok(recorder)
    }

    /// Appends an entry.
    pub fn entry(&mut self, entry: &Entry<'_>) -> anyhow::Result<()> {
        write_entry(entry, &mut self.pending)?;
        if self.pending.len() >= PIECE {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over what is buffered.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        let result = self.writer.write_all(&self.pending);
        self.pending.clear();
        result
            .and_then(|()| self.writer.flush())
            .with_context(|| format!("cannot write the recording to {}", self.name))
    }
}
