//! Whose accounts name a user: the host's, or those of the root that a process has.
//!
//! A container has an `/etc/passwd` of its own, and may have a user namespace of its own, in which ids
//! mean others. What is in that file its owner decides: it is opened below its root, never waited for,
//! and read up to a bound.

use std::{
    collections::HashMap,
    fs::{File, Metadata, OpenOptions},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    rc::Rc,
};

use nix::libc::{O_DIRECTORY, O_PATH};
use procfs::process::Process;
use tracer_core::fact::Account;

use super::{below, etc};

/// Bytes of an `/etc/passwd` that are read: several thousand accounts.
const PASSWD_MAX: u64 = 256 << 10;
/// Bytes of the host's, which is not of somebody else.
const HOST_PASSWD_MAX: u64 = 16 << 20;
/// Bytes of a map of user ids: the kernel allows 340 ranges.
const MAP_MAX: u64 = 32 << 10;
/// How many of these files are remembered.
const FILES_MAX: usize = 32;
/// Where the accounts are, below a root.
const PASSWD: &str = "etc/passwd";

/// Names a file as it is now: what is changed gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

impl From<&Metadata> for FileKey {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            changed: (file.ctime(), file.ctime_nsec()),
            size: file.size(),
        }
    }
}

/// The accounts of the roots that were seen.
#[derive(Debug, Default)]
pub struct Accounts {
    /// The host's, as it was read last.
    host: Option<FileKey>,
    files: HashMap<FileKey, Rc<HashMap<u32, String>>>,
}

/// What a user is called where a process lives that has another root than the host.
pub struct Resident {
    /// `None`: its accounts know nobody of that id.
    pub name: Option<String>,
}

/// The host's accounts; none where it has no `/etc/passwd`.
pub fn of_host() -> Vec<Account> {
    Accounts::default().host().unwrap_or_default()
}

impl Accounts {
    /// The host's accounts, unless they are as they were when they were asked for last.
    pub fn host(&mut self) -> Option<Vec<Account>> {
        let file = below::file_in(&host_root()?, PASSWD).ok()?;
        let key = FileKey::from(&file.metadata().ok()?);
        if self.host.replace(key) == Some(key) {
            return None;
        }
        Some(etc::parse_passwd(&etc::text_of(file, HOST_PASSWD_MAX)))
    }

    /// What a user is called where a process lives; `None` if that is the host's root, or the process is
    /// gone. The id is that of the initial user namespace.
    pub fn resident(&mut self, pid: u32, start_ticks: u64, uid: u32) -> Option<Resident> {
        let root = open_root(&format!("/proc/{pid}/root"))?;
        if is_same(&root, &host_root()?)? {
            return None;
        }
        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        let inside = id_inside(&process, uid);
        // Its id may be another process's by now.
        if process.stat().ok()?.starttime != start_ticks {
            return None;
        }
        let name = inside.and_then(|uid| self.below(&root)?.get(&uid).cloned());
        Some(Resident { name })
    }

    /// The names of users below a root. A file that was changed is read again.
    fn below(&mut self, root: &File) -> Option<Rc<HashMap<u32, String>>> {
        let file = below::file_in(root, PASSWD).ok()?;
        let key = FileKey::from(&file.metadata().ok()?);
        if let Some(known) = self.files.get(&key) {
            return Some(known.clone());
        }
        if self.files.len() == FILES_MAX {
            self.files.clear();
        }
        let mut names = HashMap::new();
        for account in etc::parse_passwd(&etc::text_of(file, PASSWD_MAX)) {
            // Of several names of an id the first.
            names.entry(account.uid).or_insert(account.name);
        }
        let names = Rc::new(names);
        self.files.insert(key, names.clone());
        Some(names)
    }
}

/// The root of the machine's first process: conntracer may be in a container itself.
fn host_root() -> Option<File> {
    open_root("/proc/1/root").or_else(|| open_root("/"))
}

/// Opens a directory only to look below it.
fn open_root(path: &str) -> Option<File> {
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(O_PATH | O_DIRECTORY);
    how.open(path).ok()
}

fn is_same(one: &File, other: &File) -> Option<bool> {
    let (one, other) = (one.metadata().ok()?, other.metadata().ok()?);
    Some((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// What a user id of the initial user namespace is in that of a process; `None`: nothing.
fn id_inside(process: &Process, uid: u32) -> Option<u32> {
    let map = process.open_relative("uid_map").ok()?;
    id_by(&etc::text_of(map, MAP_MAX), uid)
}

/// Reads the format of `uid_map`: ranges of ids, inside, outside, and how many.
fn id_by(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        let mut number = || numbers.next()?.ok();
        let (inside, outside, count): (u32, u32, u32) = (number()?, number()?, number()?);
        let at = uid.checked_sub(outside).filter(|at| *at < count)?;
        inside.checked_add(at)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        time::{Duration, Instant},
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    /// A root with an empty `etc`, removed when it is dropped.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str) -> Self {
            let name = format!("conntracer-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(path.join("etc")).unwrap();
            Self(path)
        }

        fn passwd(&self) -> PathBuf {
            self.0.join(PASSWD)
        }

        fn user(&self, accounts: &mut Accounts, uid: u32) -> Option<String> {
            let root = open_root(self.0.to_str().unwrap()).unwrap();
            accounts.below(&root)?.get(&uid).cloned()
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let root = Root::new("changes");
        let mut accounts = Accounts::default();
        assert_eq!(root.user(&mut accounts, 33), None);
        for name in ["web", "other"] {
            std::fs::write(root.passwd(), format!("{name}:x:33:33::/:\n")).unwrap();
            for _ in 0..2 {
                assert_eq!(root.user(&mut accounts, 33).as_deref(), Some(name));
            }
        }
    }

    #[test]
    fn no_more_files_are_remembered_than_there_is_room_for() {
        let root = Root::new("many");
        let mut accounts = Accounts::default();
        for length in 1..=2 * FILES_MAX {
            let name = "x".repeat(length);
            std::fs::write(root.passwd(), format!("{name}:x:33:33::/:\n")).unwrap();
            assert_eq!(root.user(&mut accounts, 33), Some(name));
            assert!(accounts.files.len() <= FILES_MAX);
        }
    }

    #[test]
    fn a_hostile_file_costs_nothing() {
        let root = Root::new("hostile");
        let mut accounts = Accounts::default();
        let began = Instant::now();
        let mut tell = |make: &dyn Fn(&Path)| {
            make(&root.passwd());
            let name = root.user(&mut accounts, 0);
            std::fs::remove_file(root.passwd()).unwrap();
            name
        };
        // A link out of the root leads to what is called so inside of it: nothing.
        assert_eq!(
            tell(&|at| symlink("/proc/1/root/etc/passwd", at).unwrap()),
            None
        );
        assert_eq!(
            tell(&|at| symlink("../../../../etc/group", at).unwrap()),
            None
        );
        assert_eq!(tell(&|at| symlink("/dev/zero", at).unwrap()), None);
        assert_eq!(tell(&|at| symlink("passwd", at).unwrap()), None);
        assert_eq!(tell(&|at| mkfifo(at, Mode::all()).unwrap()), None);
        let random: Vec<u8> = (0..9_999_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        assert_eq!(tell(&|at| std::fs::write(at, &random).unwrap()), None);
        // A terabyte of nothing, of which only the beginning is read.
        let sparse = |at: &Path| File::create(at).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(tell(&sparse), None);
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn ids_are_those_of_the_user_namespace() {
        let map = "         0     100000      65536\n     70000       1000          1\n";
        for (uid, inside) in [
            (100_000, Some(0)),
            (100_033, Some(33)),
            (165_535, Some(65_535)),
            (165_536, None),
            (99_999, None),
            (1000, Some(70_000)),
            (0, None),
        ] {
            assert_eq!(id_by(map, uid), inside);
        }
        assert_eq!(id_by("0 0 4294967295", 1000), Some(1000));
        assert_eq!(id_by("4294967295 1 5", 3), None);
        assert_eq!(id_by("nonsense\n0 0\n", 0), None);
    }

    #[test]
    fn this_process_lives_where_the_host_does() {
        let start = Process::myself().unwrap().stat().unwrap().starttime;
        let resident = Accounts::default().resident(std::process::id(), start, 0);
        let is_chrooted = !is_same(&open_root("/").unwrap(), &host_root().unwrap()).unwrap();
        assert_eq!(resident.is_some(), is_chrooted);
    }
}
