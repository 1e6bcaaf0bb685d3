//! What an engine's files say of a container.

use serde::{Deserialize, Serialize};

/// A container, as the files of its engine describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// The runtime whose files they are.
    pub runtime: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The image it was made from, as it was asked for.
    pub image: Option<String>,
    /// Its Kubernetes pod.
    pub pod: Option<Pod>,
}

/// The pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its UID.
    pub uid: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// What it calls the container; none: the container is the pod's own, which holds its namespaces.
    pub container: Option<String>,
}
