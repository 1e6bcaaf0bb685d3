//! Who the processes of the machine are, and were.
//!
//! Followed from exec, fork and exit frames; `/proc` fills in what was there before. A process that
//! is gone stays known for a while, and as long as a near descendant or a connection refers to it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock},
};

use tracer_abi::{ForkFrame, Identity, exec_flag};

use crate::{clock::NS_PER_TICK, decode::Exec, executable::base_name, fact, text::lossy};

/// What names a process within a boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    /// Process id.
    pub pid: u32,
    /// Start, in ticks of 10 ms since boot: `/proc` knows no better.
    pub start_ticks: u64,
}

impl Key {
    /// From the kernel's nanoseconds.
    #[must_use]
    pub fn new(pid: u32, start_ns: u64) -> Self {
        Self {
            pid,
            start_ticks: start_ns / NS_PER_TICK,
        }
    }

    /// Of the process that acted.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        Self::new(identity.tgid, identity.start_ns)
    }
}

/// A program that a process ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Path of the executable; empty: not known.
    pub exe: String,
    /// Arguments; `None`: not known.
    pub args: Option<Vec<String>>,
    /// There were more arguments.
    pub args_truncated: bool,
    /// The executable has no name in any file system.
    pub exe_deleted: bool,
    /// Controlling terminal; empty: none.
    pub tty: String,
    /// Its hash, which comes later than the rest, and to all that were forked meanwhile.
    pub hash: OnceLock<fact::Hash>,
}

/// A process while it ran one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What names it.
    pub key: Key,
    /// Its name; empty: not known.
    pub name: String,
    /// The program.
    pub image: Arc<Image>,
    /// Who started it, as it was then.
    pub parent: Option<Arc<Process>>,
    /// How many ancestors it is remembered to have.
    generations: usize,
}

impl Process {
    fn new(key: Key, name: String, image: Arc<Image>, parent: Option<Arc<Process>>) -> Self {
        Self {
            key,
            name,
            image,
            generations: parent.as_ref().map_or(0, |parent| parent.generations + 1),
            parent,
        }
    }

    /// A copy that remembers so many of its ancestors.
    fn with_ancestors(&self, count: usize) -> Self {
        let parent = self.parent.as_deref().filter(|_| count > 0);
        let parent = parent.map(|parent| Arc::new(parent.with_ancestors(count - 1)));
        Self::new(self.key, self.name.clone(), self.image.clone(), parent)
    }
}

/// How many programs one process is remembered to have run. Frames are in order, so what is asked
/// for is nearly always the newest.
const VERSIONS_MAX: usize = 4;
/// How many users of one process are remembered to be called something else than on the host.
const RESIDENTS_MAX: usize = 4;
/// How long a process stays known after its end, nanoseconds.
const GRACE_NS: u64 = 60_000_000_000;
/// How many processes are remembered at most; beyond it, those that ended first are forgotten.
const ENTRIES_MAX: usize = 65_536;
/// How long a list of ancestors may be.
const ANCESTORS_MAX: usize = 32;
/// How many ancestors a parent may have before those that no list has room for are forgotten: a
/// program that forks, exits and goes on in its child has ever more. Twice as many as a list has,
/// so that it is seldom done.
const GENERATIONS_MAX: usize = 2 * ANCESTORS_MAX;

/// One process and the programs it ran.
#[derive(Debug, Default)]
struct Entry {
    /// With their exec ids, oldest first. `None`: as `/proc` showed it, which has no exec id.
    versions: Vec<(Option<u64>, Arc<Process>)>,
    /// What its users are called in its root, where that is not the host's.
    residents: Vec<fact::Resident>,
}

impl Entry {
    fn push(&mut self, exec_id: Option<u64>, process: Arc<Process>) {
        if self.versions.len() == VERSIONS_MAX {
            self.versions.remove(0);
        }
        self.versions.push((exec_id, process));
    }

    fn newest(&self) -> Option<&Arc<Process>> {
        self.versions.last().map(|(_, process)| process)
    }

    /// Where the program of this exec id is.
    fn position(&self, exec_id: u64) -> usize {
        self.versions
            .iter()
            .rposition(|(id, _)| id.is_none_or(|id| id <= exec_id))
            .unwrap_or(0)
    }

    /// The process as it was while it ran the program of this exec id.
    fn version(&self, exec_id: u64) -> Option<&Arc<Process>> {
        let (_, process) = self.versions.get(self.position(exec_id))?;
        Some(process)
    }

    /// The same, to be remembered by a child. Kept as shortened, so that all children share it.
    fn parent(&mut self, exec_id: u64) -> Option<Arc<Process>> {
        let position = self.position(exec_id);
        let (_, process) = self.versions.get_mut(position)?;
        if process.generations >= GENERATIONS_MAX {
            *process = Arc::new(process.with_ancestors(ANCESTORS_MAX));
        }
        Some(process.clone())
    }
}

/// All processes that are known.
#[derive(Debug, Default)]
pub struct Processes {
    entries: HashMap<Key, Entry>,
    /// The newest process of each id, for `/proc` names parents by id alone.
    newest: HashMap<u32, Key>,
    /// Ended processes with the time of their end, oldest first.
    ended: VecDeque<(u64, Key)>,
}

impl Processes {
    /// Whether the process is known.
    #[must_use]
    pub fn knows(&self, key: Key) -> bool {
        self.entries.contains_key(&key)
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What `/proc` shows. What the kernel said itself is never overwritten by it.
    pub fn learn(&mut self, fact: &fact::Process) {
        let key = Key {
            pid: fact.pid,
            start_ticks: fact.start_ticks,
        };
        if self.knows(key) {
            return;
        }
        let image = Image {
            exe: fact.exe.clone(),
            args: fact.args.clone(),
            args_truncated: fact.args_truncated,
            exe_deleted: fact.exe_deleted,
            tty: fact.tty.clone(),
            hash: OnceLock::new(),
        };
        // Of an id alone the newest process is meant, and of that its newest program.
        let parent = self.newest.get(&fact.parent).copied();
        let parent = parent.and_then(|parent| self.parent(parent, u64::MAX));
        let process = Process::new(key, fact.name.clone(), Arc::new(image), parent);
        self.add(None, process);
    }

    /// What a user of a process is called in its root. Of a process that is not known nothing is kept.
    pub fn settle(&mut self, fact: &fact::Resident) {
        let key = Key {
            pid: fact.pid,
            start_ticks: fact.start_ticks,
        };
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.residents.retain(|known| known.uid != fact.uid);
        if entry.residents.len() == RESIDENTS_MAX {
            entry.residents.remove(0);
        }
        entry.residents.push(fact.clone());
    }

    /// What a user of a process is called in its root; `None`: nothing else is known than the host's
    /// accounts.
    #[must_use]
    pub fn resident(&self, key: Key, uid: u32) -> Option<&fact::Resident> {
        let mut residents = self.entries.get(&key)?.residents.iter();
        residents.find(|known| known.uid == uid)
    }

    /// Takes the hash of what a process ran, if it is that program's: it may run another one by the time
    /// that it is looked at.
    pub fn hashed(&self, fact: &fact::Executable) {
        let key = Key {
            pid: fact.pid,
            start_ticks: fact.start_ticks,
        };
        let entry = self.entries.get(&key);
        if let Some(process) = entry.and_then(|entry| entry.version(fact.exec_id)) {
            let image = &process.image;
            if image.exe.is_empty() || base_name(&image.exe) == base_name(&fact.path) {
                // Of two answers the first was nearer to the start of the program.
                image.hash.get_or_init(|| fact.hash.clone());
            }
        }
    }

    /// A process was forked: it is a copy of its parent.
    pub fn fork(&mut self, frame: &ForkFrame) {
        let key = Key::new(frame.child_tgid, frame.child_start_ns);
        let parent = self.parent(
            Key::new(frame.parent_tgid, frame.parent_start_ns),
            frame.parent_exec_id,
        );
        let image = parent
            .as_ref()
            .map_or_else(Arc::default, |parent| parent.image.clone());
        let process = Process::new(key, lossy(frame.comm.as_bytes()), image, parent);
        self.add(Some(frame.child_exec_id), process);
    }

    /// A process executed a program.
    pub fn exec(&mut self, frame: &Exec) {
        let identity = &frame.fixed.identity;
        let key = Key::of(identity);
        let parent = match self.entries.get(&key).and_then(Entry::newest) {
            Some(before) => before.parent.clone(),
            None => self.parent(
                Key::new(frame.fixed.parent_tgid, frame.fixed.parent_start_ns),
                frame.fixed.parent_exec_id,
            ),
        };
        let image = Image {
            exe: frame.exe.clone(),
            args: frame.args.clone(),
            args_truncated: frame.fixed.flags & exec_flag::ARGS_TRUNCATED != 0,
            exe_deleted: frame.fixed.flags & exec_flag::EXE_DELETED != 0,
            tty: lossy(frame.fixed.tty.as_bytes()),
            hash: OnceLock::new(),
        };
        let name = lossy(identity.comm.as_bytes());
        let process = Process::new(key, name, Arc::new(image), parent);
        self.add(Some(identity.exec_id), process);
    }

    fn add(&mut self, exec_id: Option<u64>, process: Process) {
        let key = process.key;
        self.newest.insert(key.pid, key);
        self.entries
            .entry(key)
            .or_default()
            .push(exec_id, Arc::new(process));
        if self.entries.len() > ENTRIES_MAX {
            self.forget_first();
        }
    }

    /// A process ended. Its sockets are closed after this, so it stays known.
    pub fn exit(&mut self, key: Key, time_ns: u64) {
        if self.knows(key) {
            self.ended.push_back((time_ns, key));
        }
        while let Some((ended_ns, _)) = self.ended.front()
            && ended_ns.saturating_add(GRACE_NS) < time_ns
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.ended.pop_front() {
            self.entries.remove(&key);
            if self.newest.get(&key.pid) == Some(&key) {
                self.newest.remove(&key.pid);
            }
        }
    }

    fn parent(&mut self, key: Key, exec_id: u64) -> Option<Arc<Process>> {
        self.entries.get_mut(&key)?.parent(exec_id)
    }

    /// The process that acted, while it ran the program it ran then. The name is the one it had at
    /// that moment; a process that is not known has nothing but that.
    #[must_use]
    pub fn find(&self, identity: &Identity) -> Arc<Process> {
        let key = Key::of(identity);
        let name = lossy(identity.comm.as_bytes());
        let known = self
            .entries
            .get(&key)
            .and_then(|entry| entry.version(identity.exec_id));
        match known {
            Some(known) if known.name == name => known.clone(),
            Some(known) => Arc::new(Process {
                name,
                ..(**known).clone()
            }),
            None => Arc::new(Process::new(key, name, Arc::default(), None)),
        }
    }
}

/// The ancestors of a process, from its parent up to the session leader (included) or the first
/// process of the machine.
pub fn ancestors(process: &Process, session: u32) -> impl Iterator<Item = &Process> {
    let mut next = process.parent.as_deref();
    let mut is_done = false;
    std::iter::from_fn(move || {
        let ancestor = next.filter(|_| !is_done)?;
        is_done = ancestor.key.pid == session;
        next = ancestor.parent.as_deref();
        Some(ancestor)
    })
    .take(ANCESTORS_MAX)
}
