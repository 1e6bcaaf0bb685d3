//! `conntracer flows read --follow`: logs that others go on writing.
//!
//! Files are looked at again and again, for not every file system tells of changes that another machine makes.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, Metadata},
    io::{Read as _, Seek as _, SeekFrom},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use jiff::Zoned;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::{SfdFlags, SignalFd},
};
use tracer_core::text::printable;
use tracing::{error, info};

use super::{lines::Lines, out};
use crate::{
    cli::{ReadFlowsArgs, UsageError},
    kernel::interrupts::ending_signals,
    run::{Ending, NOTES, input},
};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// Bytes that are read of a file at once, at most, so that others have their turn.
const AT_ONCE: u64 = 4 << 20;
/// Bytes of a line, at most: what is longer is passed over.
const LINE_MAX: usize = 4 << 20;
/// What compressed files, and captures, begin with: those do not grow line by line.
const NOT_LINES: [&[u8]; 6] = [
    &[0x1f, 0x8b],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[0xd4, 0xc3, 0xb2, 0xa1],
    &[0xa1, 0xb2, 0xc3, 0xd4],
    &[0x4d, 0x3c, 0xb2, 0xa1],
    &[0x0a, 0x0d, 0x0d, 0x0a],
];

/// Follows them until it is interrupted.
pub fn run(args: &ReadFlowsArgs) -> anyhow::Result<Ending> {
    out::unless_closed(follow(args))
}

fn follow(args: &ReadFlowsArgs) -> anyhow::Result<Ending> {
    if args.files.iter().any(|path| path == Path::new("-")) {
        let why = "--follow: stdin is read as it comes without it";
        return Err(UsageError(why.to_owned()).into());
    }
    let mut lines = Lines::new("followed", &args.log, &args.out)?;
    lines.within(args.window.resolve(&Zoned::now())?);
    let signals = ending_signals();
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let deadline = args.duration.map(|time| Instant::now() + time.into());
    let mut files = Files::open(&args.files)?;
    info!(target: NOTES, "following {} files; Ctrl-C ends it", files.open.len());
    files.read(&mut lines)?;
    loop {
        lines.flush()?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let pause = left.map_or(INTERVAL, |left| left.min(INTERVAL));
        let is_over = left.is_some_and(|left| left.is_zero()) || is_ended(&signals, pause)?;
        // What was written by now counts.
        files.look(&args.files);
        files.read(&mut lines)?;
        if is_over {
            break;
        }
    }
    for mut file in files.open.into_values().flatten() {
        file.end(&mut lines)?;
    }
    lines.end()
}

/// Waits. Whether a signal has come.
fn is_ended(signals: &SignalFd, pause: Duration) -> anyhow::Result<bool> {
    let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO);
    match poll(&mut waiting, pause) {
        Ok(0) | Err(Errno::EINTR) => Ok(false),
        Ok(_) => Ok(signals.read_signal()?.is_some()),
        Err(error) => Err(error.into()),
    }
}

/// A file, whatever it is called.
type Inode = (u64, u64);

/// All that is followed.
struct Files {
    /// By name; none, if it is nothing that can be followed.
    open: BTreeMap<PathBuf, Option<Followed>>,
    /// How far files were read that have no name of these any more, and may get one.
    read: HashMap<Inode, u64>,
    /// What was renamed, and may have grown before that.
    replaced: Vec<Followed>,
}

impl Files {
    fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let paths = input::files(paths)?.into_iter();
        let open = paths.map(|path| Ok((path.clone(), Some(Followed::open(&path)?))));
        Ok(Self {
            open: open.collect::<anyhow::Result<_>>()?,
            read: HashMap::new(),
            replaced: Vec::new(),
        })
    }

    /// Looks for files that are new: in directories, and under the name of one that was renamed.
    fn look(&mut self, paths: &[PathBuf]) {
        for path in input::files(paths).unwrap_or_default() {
            let inode = fs::metadata(&path).map(|metadata| inode(&metadata));
            let known = self.open.get(&path);
            match (inode, known) {
                // It is gone, and may come again; or it is none that can be followed.
                (Err(_), _) | (_, Some(None)) => {}
                (Ok(inode), Some(Some(known))) if inode == known.inode => {}
                (Ok(inode), _) => self.add(path, inode),
            }
        }
    }

    fn add(&mut self, path: PathBuf, inode: Inode) {
        let file = self.renamed(inode).or_else(|| match Followed::open(&path) {
            Ok(mut new) => {
                new.go_on(&self.read);
                Some(new)
            }
            Err(error) => {
                error!("{}; it is passed over", printable(&format!("{error:#}")));
                None
            }
        });
        if let Some(Some(old)) = self.open.insert(path, file) {
            self.replaced.push(old);
        }
    }

    /// The file, if it is followed under another name.
    fn renamed(&mut self, inode: Inode) -> Option<Followed> {
        if let Some(at) = self.replaced.iter().position(|file| file.inode == inode) {
            return Some(self.replaced.swap_remove(at));
        }
        let is_it = |file: &Option<Followed>| file.as_ref().is_some_and(|file| file.inode == inode);
        let name = self.open.iter().find(|(_, file)| is_it(file));
        let name = name.map(|(name, _)| name.clone())?;
        self.open.remove(&name).flatten()
    }

    /// Reads what was written since.
    fn read(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        // What was written to a file before another took its name.
        for mut old in self.replaced.drain(..) {
            old.read(lines)?;
            old.end(lines)?;
            self.read.insert(old.inode, old.at);
        }
        self.open
            .values_mut()
            .flatten()
            .try_for_each(|file| file.read(lines))
    }
}

/// A file that grows.
struct Followed {
    name: String,
    file: File,
    inode: Inode,
    at: u64,
    /// The beginning of a line whose end is not written yet.
    held: Vec<u8>,
    is_too_long: bool,
}

impl Followed {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let failed = || format!("cannot read {name}");
        let mut file = File::open(path).with_context(failed)?;
        let mut begin = Vec::new();
        file.by_ref()
            .take(4)
            .read_to_end(&mut begin)
            .with_context(failed)?;
        file.rewind().with_context(failed)?;
        let is_lines = !NOT_LINES.iter().any(|mark| begin.starts_with(mark));
        ensure!(
            is_lines,
            "{name} is compressed, or a capture: --follow is of logs that grow line by line"
        );
        let inode = inode(&file.metadata().with_context(failed)?);
        Ok(Self {
            name,
            file,
            inode,
            at: 0,
            held: Vec::new(),
            is_too_long: false,
        })
    }

    /// Reads what was written since.
    fn read(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        let name = self.name.clone();
        let failed = || format!("cannot read {name}");
        let length = self.file.metadata().with_context(failed)?.len();
        if length < self.at {
            info!(target: NOTES, "{} was cut: it is read from its beginning", printable(&self.name));
            self.held.clear();
            self.at = self.file.seek(SeekFrom::Start(0)).with_context(failed)?;
        }
        loop {
            let mut piece = Vec::new();
            let mut rest = self.file.by_ref().take(AT_ONCE);
            let count = rest.read_to_end(&mut piece).with_context(failed)?;
            if count == 0 {
                return Ok(());
            }
            self.at += u64::try_from(count).unwrap_or_default();
            self.piece(&piece, lines)?;
        }
    }

    fn piece(&mut self, piece: &[u8], lines: &mut Lines) -> anyhow::Result<()> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line(lines)?;
            } else if self.held.len() > LINE_MAX {
                self.held.clear();
                self.is_too_long = true;
            }
        }
        Ok(())
    }

    /// What is held is a line.
    fn line(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        let line = std::mem::take(&mut self.held);
        if std::mem::take(&mut self.is_too_long) {
            let why = format!("a line of more than {LINE_MAX} bytes");
            lines.problems.take(&printable(&self.name), &why);
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        lines.take(&self.name, text.trim_end_matches(['\n', '\r']))
    }

    /// Goes on where it was left under another name.
    fn go_on(&mut self, read: &HashMap<Inode, u64>) {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let at = read.get(&self.inode).filter(|at| **at <= length);
        if let Some(at) = at
            && self.file.seek(SeekFrom::Start(*at)).is_ok()
        {
            self.at = *at;
        }
    }

    /// Nothing more is written: what has no end of a line is one.
    fn end(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.line(lines)
    }
}

fn inode(metadata: &Metadata) -> Inode {
    (metadata.dev(), metadata.ino())
}
