//! Containers and pods, and what their engines call them.
//!
//! That there is a container the path of its cgroup says ([`crate::cgroup`]); what it is called is a
//! fact, read from what its engine left on the host.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{cgroup::Meaning, fact};

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// The runtime, where the path or the engine tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// What its engine calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image it was made from, as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// A Kubernetes pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pod {
    /// Its UID.
    pub uid: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the pod calls the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl Pod {
    /// Its name with its namespace; its UID if that is all that is known.
    #[must_use]
    pub fn label(&self) -> String {
        let parts = [&self.namespace, &self.name];
        match &self.name {
            Some(_) => joined(&parts),
            None => self.uid.clone(),
        }
    }
}

/// What a container is called among people: namespace, pod and container of Kubernetes, else its
/// name; none if only its id is known.
#[must_use]
pub fn label(container: &Container, pod: Option<&Pod>) -> Option<String> {
    let in_pod = pod
        .filter(|pod| pod.name.is_some())
        .map(|pod| joined(&[&pod.namespace, &pod.name, &pod.container]));
    in_pod.or_else(|| container.name.clone())
}

/// Those that are known, as Kubernetes writes them.
fn joined(parts: &[&Option<String>]) -> String {
    let known: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
    known.join("/")
}

/// Whether what is said of the container of a cgroup is all that can be: in a pod, what that calls it, too.
#[must_use]
pub fn is_complete(said: &fact::Container, meaning: &Meaning) -> bool {
    let in_pod = said.pod.as_ref().and_then(|pod| pod.container.as_ref());
    meaning.pod.is_none() || in_pod.is_some()
}

/// How many containers are remembered by name; more than a host runs at a time.
const CONTAINERS_MAX: usize = 16_384;

/// What is known of containers, by their ids.
#[derive(Debug, Default)]
pub struct Containers {
    known: HashMap<String, fact::Container>,
}

impl Containers {
    /// Takes what an engine says of one of its containers.
    pub fn learn(&mut self, container: &fact::Container) {
        if self.known.len() >= CONTAINERS_MAX {
            self.known.clear();
        }
        self.known.insert(container.id.clone(), container.clone());
    }

    /// Whether there is nothing more to learn of the container of a cgroup.
    #[must_use]
    pub fn knows(&self, meaning: &Meaning) -> bool {
        let place = meaning.container.as_ref();
        let said = place.and_then(|place| self.known.get(&place.id));
        said.is_some_and(|said| is_complete(said, meaning))
    }

    /// The container and the pod of a cgroup. Where the path of the cgroup and the engine both say
    /// something, the path counts: the kernel vouches for it.
    #[must_use]
    pub fn of(&self, meaning: &Meaning) -> (Option<Container>, Option<Pod>) {
        let place = meaning.container.as_ref();
        let said = place.and_then(|place| self.known.get(&place.id));
        let container = place.map(|place| Container {
            id: place.id.clone(),
            runtime: place
                .runtime
                .clone()
                .or_else(|| said.and_then(|said| said.runtime.clone())),
            name: said.and_then(|said| said.name.clone()).or_else(|| {
                // What has no other id is called by its id.
                place.is_named().then(|| place.id.clone())
            }),
            image: said.and_then(|said| said.image.clone()),
        });
        let said = said.and_then(|said| said.pod.as_ref());
        let uid = meaning
            .pod
            .clone()
            .or_else(|| said.and_then(|said| said.uid.clone()));
        let pod = uid.map(|uid| Pod {
            uid,
            name: said.and_then(|said| said.name.clone()),
            namespace: said.and_then(|said| said.namespace.clone()),
            container: said.and_then(|said| said.container.clone()),
        });
        (container, pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::{Place, meaning};

    const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
    const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
    const OTHER: &str = "00000000-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

    fn said() -> fact::Container {
        fact::Container {
            id: ID.to_owned(),
            runtime: Some("containerd".to_owned()),
            name: Some("web".to_owned()),
            image: Some("nginx:1.27".to_owned()),
            pod: Some(fact::Pod {
                uid: Some(OTHER.to_owned()),
                name: Some("web-0".to_owned()),
                namespace: Some("shop".to_owned()),
                container: Some("web".to_owned()),
            }),
        }
    }

    #[test]
    fn the_engine_adds_to_what_the_path_says() {
        let mut containers = Containers::default();
        let meaning = meaning(&format!("/kubepods/pod{UID}/{ID}"));
        let (container, pod) = containers.of(&meaning);
        let (container, pod) = (container.unwrap(), pod.unwrap());
        assert_eq!(
            (container.name.as_ref(), container.runtime.as_ref()),
            (None, None)
        );
        assert_eq!(label(&container, Some(&pod)), None);
        containers.learn(&said());
        let (container, pod) = containers.of(&meaning);
        let (container, pod) = (container.unwrap(), pod.unwrap());
        assert_eq!(container.runtime.as_deref(), Some("containerd"));
        assert_eq!(container.image.as_deref(), Some("nginx:1.27"));
        assert_eq!(pod.uid, UID, "what the engine says of it does not count");
        assert_eq!(
            label(&container, Some(&pod)).as_deref(),
            Some("shop/web-0/web")
        );
        assert_eq!(label(&container, None).as_deref(), Some("web"));
    }

    #[test]
    fn a_pod_that_the_path_does_not_name_may_be_named_by_the_engine() {
        let mut containers = Containers::default();
        containers.learn(&said());
        let (container, pod) = containers.of(&meaning(&format!("/docker/{ID}")));
        assert_eq!(container.unwrap().runtime.as_deref(), Some("docker"));
        assert_eq!(pod.unwrap().uid, OTHER);
    }

    #[test]
    fn what_the_path_names_needs_no_engine() {
        let (container, pod) = Containers::default().of(&meaning("/lxc.payload.web"));
        assert_eq!(container.unwrap().name.as_deref(), Some("web"));
        assert_eq!(pod, None);
    }

    #[test]
    fn it_is_not_known_how_many_there_will_be() {
        let mut containers = Containers::default();
        for number in 0..=CONTAINERS_MAX {
            let id = number.to_string();
            containers.learn(&fact::Container { id, ..said() });
        }
        assert!(containers.known.len() <= CONTAINERS_MAX);
        let last = Place {
            id: CONTAINERS_MAX.to_string(),
            runtime: None,
        };
        assert!(containers.knows(&Meaning {
            container: Some(last),
            ..Meaning::default()
        }));
        let nobody = Meaning {
            container: Some(Place {
                id: "0".to_owned(),
                runtime: None,
            }),
            ..Meaning::default()
        };
        assert_eq!(containers.of(&nobody).0.unwrap().name, None);
    }
}
