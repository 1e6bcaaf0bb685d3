//! Who owns a connection: from the kernel's snapshot of a task to the fields of a record.

use std::{collections::HashMap, sync::Arc};

use tracer_abi::{Attribution as Raw, Identity, identity_flag};

use crate::{
    cgroup::{Cgroups, meaning},
    clock::Clock,
    fact::{Account, Question},
    process::{self, Image, Key, Processes, ancestors},
    record::{Ancestor, Attribution, Cgroup, Owner, Parent, Pod, Process, User},
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
    users: HashMap<u32, String>,
}

impl Knowledge {
    /// Takes the host's accounts; of several names of a user id the first.
    pub fn learn_users(&mut self, accounts: &[Account]) {
        self.users.clear();
        for account in accounts {
            self.users
                .entry(account.uid)
                .or_insert_with(|| account.name.clone());
        }
    }

    /// What is not known yet of the process that acted.
    pub fn questions(&self, identity: &Identity) -> impl Iterator<Item = Question> {
        let key = Key::of(identity);
        let process = (!self.processes.knows(key)).then_some(Question::Process {
            pid: key.pid,
            start_ticks: key.start_ticks,
        });
        let (id, is_v1) = cgroup_of(identity);
        let cgroup = (!self.cgroups.knows(id, is_v1)).then_some(Question::Cgroup { id, is_v1 });
        process.into_iter().chain(cgroup)
    }

    /// The owner as it is written.
    #[must_use]
    pub fn owner(&self, identity: &Identity, clock: &Clock) -> Owner {
        let (id, is_v1) = cgroup_of(identity);
        let path = self.cgroups.path(id, is_v1);
        let meaning = path.map(meaning).unwrap_or_default();
        Owner {
            process: Arc::new(process_of(&self.processes.find(identity), identity, clock)),
            user: self.user(identity, meaning.container.is_some()),
            cgroup: Cgroup {
                id,
                path: path.map(str::to_owned),
            },
            unit: meaning.unit,
            container: meaning.container,
            pod: meaning.pod.map(|uid| Pod { uid }),
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

    /// In a container, user ids may mean other accounts than on the host.
    fn user(&self, identity: &Identity, is_in_container: bool) -> User {
        let name = |uid: u32| self.users.get(&uid).cloned();
        let host_name = if is_in_container {
            None
        } else {
            name(identity.uid)
        };
        let auid = (identity.auid != UNSET).then_some(identity.auid);
        User {
            uid: identity.uid,
            name_from: host_name.is_some().then_some("host"),
            name: host_name,
            gid: identity.gid,
            euid: (identity.euid != identity.uid).then_some(identity.euid),
            auid,
            // Logins are the host's affair.
            login: auid.and_then(name),
            session: (identity.audit_session != UNSET).then_some(identity.audit_session),
        }
    }
}

fn cgroup_of(identity: &Identity) -> (u64, bool) {
    let is_v1 = identity.flags & identity_flag::CGROUP_V1 != 0;
    (identity.cgroup_id, is_v1)
}

fn process_of(known: &process::Process, identity: &Identity, clock: &Clock) -> Process {
    let image = &known.image;
    Process {
        pid: identity.tgid,
        tid: identity.tid,
        ns_pid: (identity.ns_tgid != identity.tgid).then_some(identity.ns_tgid),
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
        exe_deleted: image.exe_deleted,
        exe_memfd: image.exe_deleted && image.exe.starts_with("/memfd:"),
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
        _ => Attribution::None,
    }
}
