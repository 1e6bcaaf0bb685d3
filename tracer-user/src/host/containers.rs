//! What engines call their containers, from the files that they keep on the node; what these lack, from the
//! pods that an API server lists, where it is asked ([`pods`](super::pods)).
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
    cgroup::{Meaning, Place, meaning},
    container::is_complete,
    fact::Container,
};

use self::files::Files;
pub use self::files::name;
use super::pods::Pods;

/// How long after something was not found of a container it is looked for again: its files may come a
/// moment after its cgroup, and the list of pods after that.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many containers are remembered of which something was not found.
const MISSED_MAX: usize = 4096;

/// Finds what there is on the node of a container.
pub struct Engines {
    files: Files,
    /// The pods that an API server lists, if it is asked.
    pods: Option<Pods>,
    /// Container id → what was found of it, and when.
    missed: HashMap<String, Missed>,
}

/// A container of which something was not found.
struct Missed {
    at: Instant,
    found: Option<Container>,
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
    /// differs where conntracer runs in a container itself. `pods`: those that an API server lists.
    pub fn new(pods: Option<Pods>) -> Self {
        Self::below(files::roots(), pods)
    }

    fn below(roots: Vec<String>, pods: Option<Pods>) -> Self {
        Self {
            files: Files::new(roots),
            pods,
            missed: HashMap::new(),
        }
    }

    /// What is to be known of the container in a cgroup, unless that was told, or something of it has just
    /// been looked for in vain.
    pub fn container(&mut self, cgroup: &str) -> Option<Container> {
        let meaning = meaning(cgroup);
        let place = meaning.container.as_ref().filter(|one| !one.is_named())?;
        let has_just_missed = |missed: &Missed| missed.at.elapsed() < AGAIN_AFTER;
        if self.missed.get(&place.id).is_some_and(has_just_missed) {
            return None;
        }
        let told = self.missed.remove(&place.id).and_then(|one| one.found);
        let user = user_of(cgroup);
        let of_files = self.find(place, user);
        let found = match &of_files {
            Some(container) if container.pod.is_some() => of_files,
            _ => both(of_files, self.listed(&meaning, user)),
        };
        if !found.as_ref().is_some_and(|one| is_complete(one, &meaning)) {
            self.miss(place.id.clone(), found.clone());
        }
        found.filter(|found| told.as_ref() != Some(found))
    }

    /// Remembers a container of which something was not found.
    fn miss(&mut self, id: String, found: Option<Container>) {
        if self.missed.len() >= MISSED_MAX {
            self.missed.clear();
        }
        let at = Instant::now();
        self.missed.insert(id, Missed { at, found });
    }

    /// What the API server's list says of it. A user can make a cgroup of any name in his slice, and pods
    /// are none of users.
    fn listed(&self, meaning: &Meaning, user: Option<u32>) -> Option<Container> {
        let pods = self.pods.as_ref().filter(|_| user.is_none())?;
        pods.container(meaning)
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

/// What the files say, and what they lack.
fn both(of_files: Option<Container>, listed: Option<Container>) -> Option<Container> {
    let (files, listed) = match (of_files, listed) {
        (Some(files), Some(listed)) => (files, listed),
        (one, other) => return one.or(other),
    };
    Some(Container {
        id: files.id,
        runtime: files.runtime.or(listed.runtime),
        name: files.name.or(listed.name),
        image: files.image.or(listed.image),
        pod: files.pod.or(listed.pod),
    })
}

/// The user in whose slice a cgroup is: `user-UID.slice`. The engines of root are the machine's.
fn user_of(cgroup: &str) -> Option<u32> {
    let mut components = cgroup.split('/');
    components.find_map(|one| {
        let uid = one.strip_prefix("user-")?.strip_suffix(".slice")?;
        uid.parse().ok().filter(|uid| *uid != 0)
    })
}
