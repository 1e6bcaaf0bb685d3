//! What is read of a pod: names and ids, and nothing else of what an API server says.

use k8s_openapi::{
    api::core::v1::{ContainerState, ContainerStatus, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::{NotUsed, Object};
use tracer_core::fact;

use crate::host::containers::name;

/// A pod as the API server writes it. What it was asked to be is passed over.
pub type Written = Object<NotUsed, PodStatus>;

/// How many containers of a pod are remembered: of one that is started over and over, the last.
const CONTAINERS_MAX: usize = 128;
/// Where the kubelet puts the hash of a static pod's manifest: on the pod that stands for it in the list,
/// whose own UID is another one than that of the cgroups.
const HASHES: [&str; 2] = ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"];
/// Digits of such a hash, which has no dashes: it can be no pod's UID.
const HASH_DIGITS: usize = 32;

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its UID in the list.
    pub uid: String,
    name: String,
    namespace: Option<String>,
    /// The hash of its manifest, if it is a static one.
    manifest: Option<String>,
    containers: Vec<Contained>,
}

/// One of its containers, or what one was before it was started anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contained {
    id: String,
    runtime: Option<String>,
    name: Option<String>,
    image: Option<String>,
}

impl Listed {
    /// What is kept of a pod; none of one that has no name.
    pub fn of(written: &Written) -> Option<Self> {
        let metadata = &written.metadata;
        let status = written.status.iter();
        let mut containers: Vec<Contained> = status.flat_map(containers_of).collect();
        containers.truncate(CONTAINERS_MAX);
        Some(Self {
            uid: name(metadata.uid.as_deref()?)?,
            name: name(metadata.name.as_deref()?)?,
            namespace: metadata.namespace.as_deref().and_then(name),
            manifest: manifest_of(metadata),
            containers,
        })
    }

    /// Whether cgroups have this UID for it.
    pub fn is_called(&self, uid: &str) -> bool {
        self.uid == uid || self.manifest.as_deref() == Some(uid)
    }

    /// Whether people call both the same.
    pub fn is_namesake(&self, other: &Self) -> bool {
        (&self.name, &self.namespace) == (&other.name, &other.namespace)
    }

    /// Remembers the containers that it had before.
    pub fn remember(&mut self, before: Self) {
        for container in before.containers {
            if self.containers.len() == CONTAINERS_MAX {
                break;
            }
            match self
                .containers
                .iter_mut()
                .find(|one| one.id == container.id)
            {
                // What it is made from is told only while it is the current one.
                Some(known) => known.image = known.image.take().or(container.image),
                None => self.containers.push(container),
            }
        }
    }

    /// Its container of this id.
    pub fn container(&self, id: &str) -> Option<fact::Container> {
        let one = self.containers.iter().find(|one| one.id == id)?;
        Some(fact::Container {
            runtime: one.runtime.clone(),
            name: one.name.clone(),
            image: one.image.clone(),
            ..self.unnamed_container(id, one.name.clone())
        })
    }

    /// A container of it of which the list says nothing: it has just begun, or holds the pod's
    /// namespaces.
    pub fn other_container(&self, id: &str) -> fact::Container {
        self.unnamed_container(id, None)
    }

    fn unnamed_container(&self, id: &str, in_pod: Option<String>) -> fact::Container {
        fact::Container {
            id: id.to_owned(),
            pod: Some(fact::Pod {
                uid: Some(self.uid.clone()),
                name: Some(self.name.clone()),
                namespace: self.namespace.clone(),
                container: in_pod,
            }),
            ..fact::Container::default()
        }
    }
}

fn manifest_of(metadata: &ObjectMeta) -> Option<String> {
    let annotations = metadata.annotations.as_ref()?;
    let mut hashes = HASHES.iter().filter_map(|key| annotations.get(*key));
    hashes.find(|hash| is_hash(hash)).cloned()
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Those that run or ran, of all kinds: current ones first.
fn containers_of(status: &PodStatus) -> impl Iterator<Item = Contained> {
    let kinds = [
        &status.container_statuses,
        &status.init_container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let statuses = || kinds.into_iter().flatten().flatten();
    let current: Vec<Contained> = statuses().filter_map(current).collect();
    let ended: Vec<Contained> = statuses().flat_map(ended).collect();
    let is_current = |one: &Contained| current.iter().any(|other| other.id == one.id);
    let ended: Vec<Contained> = ended.into_iter().filter(|one| !is_current(one)).collect();
    current.into_iter().chain(ended)
}

fn current(status: &ContainerStatus) -> Option<Contained> {
    Some(Contained {
        image: name(&status.image),
        ..contained(status, status.container_id.as_deref()?)?
    })
}

/// What it was before it ended, or was started anew.
fn ended(status: &ContainerStatus) -> Vec<Contained> {
    let both = [&status.state, &status.last_state];
    let ids = both.into_iter().flatten().filter_map(ended_id);
    ids.filter_map(|id| contained(status, id)).collect()
}

fn ended_id(state: &ContainerState) -> Option<&str> {
    state.terminated.as_ref()?.container_id.as_deref()
}

/// `address`: `RUNTIME://ID`.
fn contained(status: &ContainerStatus, address: &str) -> Option<Contained> {
    let (runtime, id) = address.split_once("://")?;
    Some(Contained {
        id: name(id)?,
        runtime: name(runtime),
        name: name(&status.name),
        image: None,
    })
}
