//! SHA-256 of executables, for `--hash`.
//!
//! A file may be large, on a slow disk, or served by somebody who never answers; so a thread of its own
//! reads, and what waits for it waits a bounded share of the time. What is not hashed by then is told with
//! the records that follow. What is opened stays the file that it was, whatever the process runs next.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    sync::mpsc::{self, Receiver, SyncSender, TrySendError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlink},
    sys::stat::Mode,
};
use procfs::process::Process;
use sha2::{Digest as _, Sha256};
use tracer_core::{
    fact::{Executable, Fact, Hash},
    text::hex,
};

use super::accounts::FileKey;

/// Bytes of a file that is hashed.
const FILE_MAX: u64 = 256 << 20;
/// How many hashes are remembered.
const KNOWN_MAX: usize = 4096;
/// How many files wait to be hashed.
const WAITING_MAX: usize = 64;
/// How much is read at once.
const PIECE: usize = 128 << 10;
/// The share of the time that may be spent waiting for hashes: one in so many.
const SHARE: u32 = 20;
/// How long one may wait at most after a time without any.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// A file that waits to be hashed.
struct Job {
    /// Opened without any right: reading it is left to the thread.
    file: Option<File>,
    /// What is told of it.
    executable: Executable,
}

/// Whoever hashes.
pub struct Hasher {
    jobs: SyncSender<Job>,
    done: Receiver<Executable>,
    under_way: usize,
    patience: Patience,
}

/// What became of a question.
pub enum Asked {
    /// It is answered, now or later; with what is known by now, of this one and of others.
    Taken(Vec<Fact>),
    /// There is too much to do; it may be asked again.
    Busy,
}

impl Hasher {
    /// Begins with nothing to do.
    pub fn start() -> io::Result<Self> {
        let (jobs, to_do) = mpsc::sync_channel(WAITING_MAX);
        let (tell, done) = mpsc::channel();
        thread::Builder::new()
            .name("conntracer-hash".to_owned())
            .spawn(move || {
                let mut hashes = Hashes::default();
                for job in to_do {
                    if tell.send(hashes.finish(job)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            jobs,
            done,
            under_way: 0,
            patience: Patience::new(),
        })
    }

    /// Asks for the hash of what a process runs.
    pub fn ask(&mut self, pid: u32, start_ticks: u64, exec_id: u64) -> Asked {
        let Some(job) = job(pid, start_ticks, exec_id) else {
            return Asked::Taken(Vec::new());
        };
        match self.jobs.try_send(job) {
            Ok(()) => {
                self.under_way += 1;
                let left = self.patience.left();
                let began = Instant::now();
                let facts = self.take(left);
                self.patience.spend(began.elapsed());
                Asked::Taken(facts)
            }
            // Without the thread there is nobody to ask, which is as good as too much to do.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Asked::Busy,
        }
    }

    /// What has been hashed meanwhile; waits for the rest, but not for longer.
    pub fn take(&mut self, patience: Duration) -> Vec<Fact> {
        let deadline = Instant::now() + patience;
        let mut facts = Vec::new();
        while self.under_way > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(executable) = self.done.recv_timeout(left) else {
                break;
            };
            self.under_way -= 1;
            facts.push(Fact::Executable(executable));
        }
        facts
    }
}

/// How long one may still wait. It grows with time.
struct Patience {
    left: Duration,
    since: Instant,
}

impl Patience {
    fn new() -> Self {
        Self {
            left: WAIT_MAX,
            since: Instant::now(),
        }
    }

    fn left(&mut self) -> Duration {
        let gained = self.since.elapsed() / SHARE;
        self.since = Instant::now();
        self.left = (self.left + gained).min(WAIT_MAX);
        self.left
    }

    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

/// Opens what a process runs; `None` if it is gone, or runs nothing.
fn job(pid: u32, start_ticks: u64, exec_id: u64) -> Option<Job> {
    let directory = File::open(format!("/proc/{pid}")).ok()?;
    let how = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let (file, path) = match openat(&directory, "exe", how, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            let path = readlink(link(&file).as_str()).ok()?;
            (Some(file), path.to_string_lossy().into_owned())
        }
        Err(Errno::EACCES | Errno::EPERM) => (None, String::new()),
        Err(_) => return None,
    };
    // The process id may be another one's.
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    (process.stat().ok()?.starttime == start_ticks).then(|| Job {
        file,
        executable: Executable {
            pid,
            start_ticks,
            exec_id,
            path: super::processes::undeleted(&path).0.to_owned(),
            hash: Hash::Unreadable,
        },
    })
}

/// By what a file that is open can be opened again.
fn link(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The hashes that are known.
#[derive(Default)]
struct Hashes {
    known: HashMap<FileKey, String>,
}

impl Hashes {
    fn finish(&mut self, job: Job) -> Executable {
        let hash = job.file.and_then(|file| self.of(&file).ok());
        Executable {
            hash: hash.unwrap_or(Hash::Unreadable),
            ..job.executable
        }
    }

    fn of(&mut self, file: &File) -> io::Result<Hash> {
        let before = FileKey::from(&file.metadata()?);
        if let Some(known) = self.known.get(&before) {
            return Ok(Hash::Sha256(known.clone()));
        }
        if file.metadata()?.size() > FILE_MAX {
            return Ok(Hash::TooLarge);
        }
        let Some(hash) = read(File::open(link(file))?)? else {
            return Ok(Hash::Changed);
        };
        if FileKey::from(&file.metadata()?) != before {
            return Ok(Hash::Changed);
        }
        if self.known.len() == KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(before, hash.clone());
        Ok(Hash::Sha256(hash))
    }
}

/// The hash of what can be read of a file; `None` if it has become too large meanwhile.
fn read(mut file: File) -> io::Result<Option<String>> {
    let mut sha256 = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut total = 0_u64;
    loop {
        let len = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(piece.get(..len).unwrap_or_default());
        total = total.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if total > FILE_MAX {
            return Ok(None);
        }
    }
    Ok(Some(hex(&sha256.finalize())))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::OpenOptionsExt as _,
        path::PathBuf,
        process::{Child, Command, Stdio},
    };

    use nix::libc::O_PATH;

    use super::*;

    /// Of nothing at all.
    const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// A file that is removed when it is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            let name = format!("conntracer-hashes-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, content).unwrap();
            Self(path)
        }

        fn open(&self) -> File {
            let mut how = std::fs::OpenOptions::new();
            how.read(true).custom_flags(O_PATH);
            how.open(&self.0).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn sha256(hash: &str) -> Hash {
        Hash::Sha256(hash.to_owned())
    }

    #[test]
    fn a_file_is_read_once_until_it_changes() {
        let scratch = Scratch::new("once", b"");
        let mut hashes = Hashes::default();
        for _ in 0..2 {
            assert_eq!(hashes.of(&scratch.open()).unwrap(), sha256(OF_NOTHING));
        }
        assert_eq!(hashes.known.len(), 1);
        std::fs::write(&scratch.0, b"abc").unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hashes.of(&scratch.open()).unwrap(), sha256(of_abc));
        assert_eq!(hashes.known.len(), 2);
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let scratch = Scratch::new("large", b"");
        File::options()
            .write(true)
            .open(&scratch.0)
            .and_then(|file| file.set_len(1 << 40))
            .unwrap();
        let mut hashes = Hashes::default();
        assert_eq!(hashes.of(&scratch.open()).unwrap(), Hash::TooLarge);
    }

    /// A process that waits until its standard input ends.
    fn waiting() -> Child {
        Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_process_is_asked_for_by_its_start() {
        let mut child = waiting();
        let pid = child.id();
        let process = Process::new(i32::try_from(pid).unwrap()).unwrap();
        let start = process.stat().unwrap().starttime;
        let mut hasher = Hasher::start().unwrap();
        let Asked::Taken(facts) = hasher.ask(pid, start + 1, 1) else {
            panic!("nothing else is to be done");
        };
        assert_eq!((facts, hasher.under_way), (Vec::new(), 0));
        let Asked::Taken(mut facts) = hasher.ask(pid, start, 7) else {
            panic!("nothing else is to be done");
        };
        facts.extend(hasher.take(Duration::from_mins(1)));
        let path = process.exe().unwrap();
        let content = std::fs::read(&path).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        let expected = Executable {
            pid,
            start_ticks: start,
            exec_id: 7,
            path: path.to_string_lossy().into_owned(),
            hash: sha256(&hex(&Sha256::digest(content))),
        };
        assert_eq!(facts, [Fact::Executable(expected)]);
    }

    #[test]
    fn what_cannot_be_taken_is_asked_again() {
        let mut child = waiting();
        let pid = child.id();
        let process = Process::new(i32::try_from(pid).unwrap()).unwrap();
        let start = process.stat().unwrap().starttime;
        // Nobody takes what waits here.
        let (jobs, _to_do) = mpsc::sync_channel(1);
        let (_tell, done) = mpsc::channel();
        let mut hasher = Hasher {
            jobs,
            done,
            under_way: 0,
            patience: Patience::new(),
        };
        let began = Instant::now();
        assert!(matches!(hasher.ask(pid, start, 1), Asked::Taken(facts) if facts.is_empty()));
        assert!(began.elapsed() >= WAIT_MAX);
        assert!(matches!(hasher.ask(pid, start, 2), Asked::Busy));
        // All of the patience is gone but what came with the time.
        assert!(hasher.patience.left() < WAIT_MAX / 2);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(matches!(hasher.ask(pid, start, 3), Asked::Taken(facts) if facts.is_empty()));
    }
}
