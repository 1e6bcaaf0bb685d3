//! The containers of a row.

use serde::Serialize;

use super::Who;
use crate::container::{Pod, label};

/// A container, as a row names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Container {
    /// Full id.
    pub id: String,
    /// What it is called: with Kubernetes namespace, pod and container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Container {
    /// The one that somebody is in.
    #[must_use]
    pub fn of(who: &Who) -> Option<Self> {
        let container = who.container.as_ref()?;
        Some(Self {
            id: container.id.clone(),
            name: label(container, who.pod.as_ref()),
        })
    }

    /// Its name, or its id where that has none.
    #[must_use]
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.clone())
    }
}

/// The pod that somebody is in, whichever of its containers.
pub fn pod_of(who: &Who) -> Option<Pod> {
    let pod = who.pod.clone()?;
    Some(Pod {
        container: None,
        ..pod
    })
}
