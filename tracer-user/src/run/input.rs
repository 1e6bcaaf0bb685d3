//! Files of others that are read: what is in them inside of their compression, of a directory all that is in it.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use flate2::read::MultiGzDecoder;

use super::replay;

/// Bytes of a line, at most: clouds deliver files that are one line.
const LINE_MAX: u64 = 64 << 20;
/// Bytes that are looked at to see what a file is; of what is no text, as much as a datagram can have.
const LOOKED_AT: u64 = 64;
const LOOKED_AT_PACKETS: u64 = 64 << 10;
/// What files of UTF-16 begin with.
const UTF_16: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];
/// What compressed files begin with.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Directories are all the files in them, in the order of their names: exporters name them by time.
///
/// # Errors
/// If one cannot be looked at, or has no files.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        collect(path, &mut found)?;
        ensure!(found.len() > before, "{} has no files", path.display());
    }
    Ok(found)
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = || format!("cannot look into {}", directory.display());
    let entries = fs::read_dir(directory).with_context(failed)?;
    let mut entries: Vec<_> = entries.collect::<io::Result<_>>().with_context(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // What is neither, e.g. a link or a pipe, nobody has named.
        let kind = entry.file_type().with_context(failed)?;
        if kind.is_dir() {
            collect(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// How many bytes files have, if all of them are files.
pub fn length(paths: &[PathBuf]) -> Option<u64> {
    let lengths = paths.iter().map(|path| {
        let metadata = fs::metadata(path).ok();
        metadata
            .filter(fs::Metadata::is_file)
            .map(|file| file.len())
    });
    lengths.sum()
}

/// Bytes of a file, or what is made of them.
pub type Bytes = Box<dyn Read + Send>;

/// A file that is read from its beginning to its end.
pub struct Input {
    /// What it is called.
    pub name: String,
    /// What it begins with.
    pub begin: Vec<u8>,
    reader: Bytes,
}

impl Input {
    /// Opens a file, or stdin for `-`. What it is compressed with is seen by its first bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_with(path, |raw| raw)
    }

    /// The same, with whatever `wrap` makes of the bytes as they are in the file.
    ///
    /// # Errors
    /// As those of [`Self::open`].
    pub fn open_with(path: &Path, wrap: impl FnOnce(Bytes) -> Bytes) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let failed = || format!("cannot read {name}");
        let (begin, raw) = look(wrap(replay::open(path)?)).with_context(failed)?;
        let inside: Bytes = if begin.starts_with(GZIP) {
            Box::new(MultiGzDecoder::new(raw))
        } else if begin.starts_with(ZSTD) {
            Box::new(zstd::Decoder::new(raw).with_context(failed)?)
        } else {
            raw
        };
        let (begin, reader) = look(inside).with_context(failed)?;
        Ok(Self {
            name,
            begin,
            reader,
        })
    }

    /// All that is in it, as bytes.
    pub fn bytes(self) -> Bytes {
        self.reader
    }

    /// Hands over its lines, without their ends, one after the other.
    ///
    /// # Errors
    /// If it is no text that can be read to its end, or `take` says so.
    pub fn lines(self, mut take: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if UTF_16.iter().any(|mark| self.begin.starts_with(mark)) {
            bail!("{} is UTF-16: make UTF-8 of it, e.g. with iconv", self.name);
        }
        let mut input = BufReader::with_capacity(64 << 10, self.reader);
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let mut rest = input.by_ref().take(LINE_MAX);
            let count = rest
                .read_until(b'\n', &mut line)
                .with_context(|| format!("cannot read {}, line {number}", self.name))?;
            if count == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            take(text.trim_start_matches('\u{feff}'))?;
        }
        Ok(())
    }
}

/// The first bytes, and all of them with what follows.
fn look(mut reader: Bytes) -> io::Result<(Vec<u8>, Bytes)> {
    let mut begin = Vec::new();
    reader.by_ref().take(LOOKED_AT).read_to_end(&mut begin)?;
    // A text is not waited for: somebody may be writing it. But of JSON the first line says what it is.
    if begin.contains(&0) {
        let more = LOOKED_AT_PACKETS - LOOKED_AT;
        reader.by_ref().take(more).read_to_end(&mut begin)?;
    } else if begin.starts_with(b"{") {
        first_line(&mut reader, &mut begin)?;
    }
    let all = Cursor::new(begin.clone()).chain(reader);
    Ok((begin, Box::new(all)))
}

/// Reads on to the end of the first line, or as far as anything is looked at.
fn first_line(reader: &mut impl Read, begin: &mut Vec<u8>) -> io::Result<()> {
    let most = usize::try_from(LOOKED_AT_PACKETS).unwrap_or(usize::MAX);
    let mut piece = [0; 4096];
    while begin.len() < most && !begin.contains(&b'\n') {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => begin.extend_from_slice(piece.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
