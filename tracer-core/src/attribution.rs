//! Who owns a connection: from the kernel's snapshot of a task to the fields of a record.

use std::{collections::HashMap, sync::Arc};

use tracer_abi::{Attribution as Raw, Identity, identity_flag};

use crate::{
    cgroup::Cgroups,
    clock::Clock,
    container::Containers,
    executable::{Flags, is_in_package_path},
    fact::{self, Account, Question},
    process::{self, Image, Key, Processes, ancestors},
    record::{Ancestor, Attribution, Cgroup, Holder, NameFrom, Owner, Parent, Process, User},
};

/// What audit uses for "never logged in".
const UNSET: u32 = u32::MAX;

/// What attribution knows of the machine.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Processes.
    pub processes: Processes,
    /// Cgroups.
    pub cgroups: Cgroups,
    containers: Containers,
    /// The hashes of executables are asked for.
    pub wants_hashes: bool,
    /// Some are known.
    has_hashes: bool,
    users: HashMap<u32, String>,
    /// What users are called in the root of the newest process of a cgroup that has another one than
    /// the host: for those of a container that are gone before they can be asked.
    residents: HashMap<(u64, bool, u32), fact::Resident>,
    /// Owners as they were written last: a process has many sockets, and they share one.
    owners: HashMap<Identity, Arc<Owner>>,
}

/// How many owners are kept for the next socket of theirs.
const OWNERS_MAX: usize = 4096;
/// How many users of cgroups are remembered.
const RESIDENTS_MAX: usize = 4096;

impl Knowledge {
    /// Takes the host's accounts; of several names of a user id the first.
    pub fn learn_users(&mut self, accounts: &[Account]) {
        self.users.clear();
        self.owners.clear();
        for account in accounts {
            self.users
                .entry(account.uid)
                .or_insert_with(|| account.name.clone());
        }
    }

    /// Takes what `/proc` says of a process.
    pub fn learn_process(&mut self, process: &fact::Process) {
        self.owners.clear();
        self.processes.learn(process);
    }

    /// Takes the path of a cgroup.
    pub fn learn_cgroup(&mut self, id: u64, is_v1: bool, path: &str) {
        self.owners.clear();
        self.cgroups.learn(id, is_v1, path);
    }

    /// Takes what its engine says of a container.
    pub fn learn_container(&mut self, container: &fact::Container) {
        self.owners.clear();
        self.containers.learn(container);
    }

    /// Takes what a user is called in another root than the host's.
    pub fn learn_resident(&mut self, fact: &fact::Resident) {
        self.owners.clear();
        self.processes.settle(fact);
        if self.residents.len() == RESIDENTS_MAX {
            self.residents.clear();
        }
        let place = (fact.cgroup, fact.is_v1, fact.uid);
        self.residents.insert(place, fact.clone());
    }

    /// Takes the hash of an executable.
    pub fn learn_executable(&mut self, fact: &fact::Executable) {
        self.owners.clear();
        self.has_hashes = true;
        self.processes.hashed(fact);
    }

    /// Whether an owner was written without something that is known by now: the hash of its program, or what
    /// its container is called.
    #[must_use]
    pub fn has_more_of(&self, identity: &Identity, written: &Owner) -> bool {
        self.has_hash_for(identity, written) || self.has_names_for(identity, written)
    }

    fn has_names_for(&self, identity: &Identity, written: &Owner) -> bool {
        let Some(container) = &written.container else {
            return false;
        };
        let in_pod = written.pod.as_ref().map(|pod| &pod.container);
        if container.name.is_some() && in_pod.is_none_or(Option::is_some) {
            return false;
        }
        let (id, is_v1) = cgroup_of(identity);
        let meaning = self.cgroups.meaning(id, is_v1);
        let known = meaning.map(|meaning| self.containers.of(meaning));
        known.is_some_and(|known| {
            let (container, pod) = &known;
            (container, pod) != (&written.container, &written.pod)
        })
    }

    fn has_hash_for(&self, identity: &Identity, written: &Owner) -> bool {
        let is_written = written.process.sha256.is_some() || written.process.not_hashed.is_some();
        let is_known = || self.processes.find(identity).image.hash.get().is_some();
        self.has_hashes && !is_written && is_known()
    }

    /// What is not known yet of the process that acted.
    pub fn questions(&self, identity: &Identity) -> impl Iterator<Item = Question> + use<> {
        let key = Key::of(identity);
        let process = (!self.processes.knows(key)).then_some(Question::Process {
            pid: key.pid,
            start_ticks: key.start_ticks,
        });
        let (id, is_v1) = cgroup_of(identity);
        let cgroup = (!self.cgroups.knows(id, is_v1)).then_some(Question::Cgroup { id, is_v1 });
        let container = self.unnamed_container(id, is_v1);
        let is_resident = self.processes.resident(key, identity.uid).is_some();
        let resident = (!is_resident).then_some(Question::Resident {
            pid: key.pid,
            start_ticks: key.start_ticks,
            cgroup: id,
            is_v1,
            uid: identity.uid,
        });
        let is_hashed = || self.processes.find(identity).image.hash.get().is_some();
        let executable = (self.wants_hashes && !is_hashed()).then_some(Question::Executable {
            pid: key.pid,
            start_ticks: key.start_ticks,
            exec_id: identity.exec_id,
        });
        let of_process = process.into_iter().chain(cgroup);
        of_process
            .chain(container)
            .chain(resident)
            .chain(executable)
    }

    /// Asks for the container of a cgroup, if there is one of which not all is known that can be.
    fn unnamed_container(&self, id: u64, is_v1: bool) -> Option<Question> {
        let meaning = self.cgroups.meaning(id, is_v1)?;
        let place = meaning.container.as_ref()?;
        if place.is_named() || self.containers.knows(meaning) {
            return None;
        }
        let cgroup = self.cgroups.path(id, is_v1)?.clone();
        Some(Question::Container { cgroup })
    }

    /// The owner as it is written.
    pub fn owner(&mut self, identity: &Identity, clock: &Clock) -> Arc<Owner> {
        if let Some(known) = self.owners.get(identity) {
            return known.clone();
        }
        if self.owners.len() == OWNERS_MAX {
            self.owners.clear();
        }
        let owner = Arc::new(self.make_owner(identity, clock));
        self.owners.insert(*identity, owner.clone());
        owner
    }

    fn make_owner(&self, identity: &Identity, clock: &Clock) -> Owner {
        let (id, is_v1) = cgroup_of(identity);
        let path = self.cgroups.path(id, is_v1);
        let meaning = self.cgroups.meaning(id, is_v1);
        let (container, pod) = meaning
            .map(|meaning| self.containers.of(meaning))
            .unwrap_or_default();
        let resident = self.resident(identity, container.is_some());
        let mut process = process_of(&self.processes.find(identity), identity, clock);
        // In another root, other paths are those of packages.
        let is_elsewhere = container.is_some() || resident.is_some();
        process.flags.is_unpackaged = !is_elsewhere && is_unpackaged(&process);
        Owner {
            process: Arc::new(process),
            user: self.user(identity, container.is_some(), resident),
            cgroup: Cgroup {
                id,
                path: path.map(|path| path.as_ref().to_owned()),
            },
            unit: meaning.and_then(|meaning| meaning.unit.clone()),
            container,
            pod,
        }
    }

    /// One of several who hold a socket.
    #[must_use]
    pub fn holder(&self, identity: &Identity) -> Holder {
        Holder {
            pid: identity.tgid,
            name: self.processes.find(identity).name.clone(),
        }
    }

    /// The ancestors of the process that acted.
    #[must_use]
    pub fn ancestry(&self, identity: &Identity) -> Vec<Ancestor> {
        let process = self.processes.find(identity);
        ancestors(&process, identity.sid)
            .map(|ancestor| Ancestor {
                pid: ancestor.key.pid,
                name: ancestor.name.clone(),
                exe: exe(&ancestor.image),
            })
            .collect()
    }

    /// What the user is called in the root that its process has; `None`: that is the host's, as far as
    /// is known.
    fn resident(&self, identity: &Identity, is_in_container: bool) -> Option<&fact::Resident> {
        let (id, is_v1) = cgroup_of(identity);
        let of_container = || {
            let known = self.residents.get(&(id, is_v1, identity.uid));
            known.filter(|_| is_in_container)
        };
        let own = self.processes.resident(Key::of(identity), identity.uid);
        own.or_else(of_container)
    }

    /// In a container, user ids may mean other accounts than on the host.
    fn user(
        &self,
        identity: &Identity,
        is_in_container: bool,
        resident: Option<&fact::Resident>,
    ) -> User {
        let name = |uid: u32| self.users.get(&uid).cloned();
        let (own_name, from) = match resident {
            Some(resident) => (resident.name.clone(), NameFrom::Container),
            None if is_in_container => (None, NameFrom::Container),
            None => (name(identity.uid), NameFrom::Host),
        };
        let auid = (identity.auid != UNSET).then_some(identity.auid);
        User {
            uid: identity.uid,
            name_from: own_name.is_some().then_some(from),
            name: own_name,
            gid: identity.gid,
            euid: (identity.euid != identity.uid).then_some(identity.euid),
            auid,
            // Logins are the host's affair.
            login: auid.and_then(name),
            session: (identity.audit_session != UNSET).then_some(identity.audit_session),
        }
    }
}

/// What never had a path is in none of a package; of what has none that is known nothing is said.
fn is_unpackaged(process: &Process) -> bool {
    let path = process.exe.as_deref().filter(|_| !process.flags.is_memfd);
    path.is_some_and(|path| !is_in_package_path(path))
}

fn cgroup_of(identity: &Identity) -> (u64, bool) {
    let is_v1 = identity.flags & identity_flag::CGROUP_V1 != 0;
    (identity.cgroup_id, is_v1)
}

fn process_of(known: &process::Process, identity: &Identity, clock: &Clock) -> Process {
    let image = &known.image;
    // Of a process that is found while it ends the kernel has taken back all numbers but the first.
    let has_another_number = identity.ns_tgid != 0 && identity.ns_tgid != identity.tgid;
    Process {
        pid: identity.tgid,
        tid: identity.tid,
        ns_pid: has_another_number.then_some(identity.ns_tgid),
        name: known.name.clone(),
        exe: exe(image),
        args: image.args.clone(),
        args_truncated: image.args_truncated,
        start_time: clock.start_time(known.key.start_ticks),
        tty: (!image.tty.is_empty()).then(|| image.tty.clone()),
        parent: known.parent.as_deref().map(|parent| Parent {
            pid: parent.key.pid,
            name: parent.name.clone(),
            exe: exe(&parent.image),
            args: parent.image.args.clone(),
            start_time: clock.start_time(parent.key.start_ticks),
        }),
        flags: Flags {
            is_deleted: image.exe_deleted || identity.flags & identity_flag::EXE_DELETED != 0,
            is_memfd: image.exe_deleted && image.exe.starts_with("/memfd:"),
            is_unpackaged: false,
        },
        sha256: match image.hash.get() {
            Some(fact::Hash::Sha256(hash)) => Some(hash.clone()),
            _ => None,
        },
        not_hashed: match image.hash.get() {
            None | Some(fact::Hash::Sha256(_)) => None,
            Some(fact::Hash::TooLarge) => Some("too_large".into()),
            Some(fact::Hash::Changed) => Some("changed".into()),
            Some(fact::Hash::Unreadable) => Some("unreadable".into()),
        },
        key: known.key,
    }
}

fn exe(image: &Image) -> Option<String> {
    (!image.exe.is_empty()).then(|| image.exe.clone())
}

/// How an owner is known, in the words of the contract. A number that no program writes means that
/// nothing is known.
#[must_use]
pub fn attribution(raw: u8) -> Attribution {
    match raw {
        Raw::CONNECT => Attribution::Connect,
        Raw::ACCEPT => Attribution::Accept,
        Raw::LISTEN => Attribution::Listen,
        Raw::CLOSE => Attribution::Close,
        Raw::EXISTING => Attribution::Existing,
        Raw::IO => Attribution::Io,
        Raw::LISTENER => Attribution::Listener,
        _ => Attribution::None,
    }
}
