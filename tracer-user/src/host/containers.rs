//! What engines call their containers, from the files that they keep on the node.
//!
//! No daemon is asked, nothing is executed. A file a runtime: [`containerd`], [`storage`] (CRI-O and
//! Podman), [`docker`], [`runc`] (where no engine is known). `docs/containers.md` has the paths and the
//! keys, and the versions of which they are known.

mod containerd;
mod docker;
mod files;
mod oci;
mod runc;
mod storage;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracer_core::{
    cgroup::{Place, meaning},
    fact::Container,
};

use self::files::Files;

/// How long after it was looked for in vain a container is looked for again: its files may come a moment
/// after its cgroup.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many containers are remembered that were looked for in vain.
const MISSED_MAX: usize = 4096;

/// Finds what there is on the node of a container.
pub struct Engines {
    files: Files,
    /// Container id → when it was looked for in vain.
    missed: HashMap<String, Instant>,
}

/// A container that is looked for.
struct Wanted {
    id: String,
    /// Home of the user whose own engine runs it; none: the engine is the machine's.
    home: Option<String>,
}

/// One whose files are known.
struct Runtime {
    /// As it is called where a cgroup path names it.
    name: &'static str,
    /// Finds a container in its files.
    find: fn(&mut Files, &Wanted) -> Option<Container>,
    /// Users run it for themselves, with files of their own.
    is_users_too: bool,
}

const RUNTIMES: [Runtime; 5] = [
    Runtime {
        name: "docker",
        find: docker::find,
        is_users_too: true,
    },
    Runtime {
        name: "containerd",
        find: containerd::find,
        is_users_too: false,
    },
    Runtime {
        name: "cri-o",
        find: storage::crio,
        is_users_too: false,
    },
    Runtime {
        name: "podman",
        find: storage::podman,
        is_users_too: true,
    },
    // Last, for where there is an engine, that knows more.
    Runtime {
        name: "runc",
        find: runc::find,
        is_users_too: false,
    },
];

impl Engines {
    /// Those of the machine: as this process sees its files, then as the first process does, which
    /// differs where conntracer runs in a container itself.
    pub fn new() -> Self {
        Self::below(files::roots())
    }

    fn below(roots: Vec<String>) -> Self {
        Self {
            files: Files::new(roots),
            missed: HashMap::new(),
        }
    }

    /// What is to be known of the container in a cgroup, unless it has just been looked for in vain.
    pub fn container(&mut self, cgroup: &str) -> Option<Container> {
        let place = meaning(cgroup).container.filter(|one| !one.is_named())?;
        let has_just_missed = |missed: &Instant| missed.elapsed() < AGAIN_AFTER;
        if self.missed.get(&place.id).is_some_and(has_just_missed) {
            return None;
        }
        let found = self.find(&place, user_of(cgroup));
        if found.is_none() {
            if self.missed.len() >= MISSED_MAX {
                self.missed.clear();
            }
            self.missed.insert(place.id, Instant::now());
        }
        found
    }

    /// In the files of the runtime that the path names; of all, where it names none, or one that is not
    /// known.
    fn find(&mut self, place: &Place, user: Option<u32>) -> Option<Container> {
        let home = match user {
            Some(uid) => Some(self.files.home_of(uid)?),
            None => None,
        };
        let wanted = Wanted {
            id: place.id.clone(),
            home,
        };
        let named = place.runtime.as_deref();
        let is_known = RUNTIMES.iter().any(|one| named == Some(one.name));
        RUNTIMES
            .iter()
            .filter(|one| !is_known || named == Some(one.name))
            // A user can make a cgroup of any name in his slice; it says nothing of others' containers.
            .filter(|one| wanted.home.is_none() || one.is_users_too)
            .find_map(|one| (one.find)(&mut self.files, &wanted))
    }
}

/// The user in whose slice a cgroup is: `user-UID.slice`. The engines of root are the machine's.
fn user_of(cgroup: &str) -> Option<u32> {
    let mut components = cgroup.split('/');
    components.find_map(|one| {
        let uid = one.strip_prefix("user-")?.strip_suffix(".slice")?;
        uid.parse().ok().filter(|uid| *uid != 0)
    })
}
