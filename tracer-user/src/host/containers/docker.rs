//! Docker: a directory a container below its data root.

use std::collections::BTreeMap;

use serde::Deserialize;
use tracer_core::fact::{Container, Pod};

use super::{
    Wanted,
    files::{Files, name},
};

/// `config.v2.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default)]
    name: String,
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    /// As it was asked for.
    #[serde(default)]
    image: String,
    labels: Option<BTreeMap<String, String>>,
}

/// Finds a container below the data root, of the machine or of the user who runs it.
pub fn find(files: &mut Files, wanted: &Wanted) -> Option<Container> {
    let root = match &wanted.home {
        Some(home) => format!("{home}/.local/share/docker"),
        None => "var/lib/docker".to_owned(),
    };
    let state = files.json(&format!("{root}/containers/{}/config.v2.json", wanted.id))?;
    Some(read(&wanted.id, state))
}

fn read(id: &str, state: State) -> Container {
    let labels = state.config.labels.unwrap_or_default();
    let label = |key: &str| name(labels.get(key)?);
    // Of Kubernetes, where it used Docker through the dockershim or cri-dockerd.
    let in_pod = label("io.kubernetes.container.name");
    let is_pods_own = labels
        .get("io.kubernetes.docker.type")
        .is_some_and(|kind| kind == "podsandbox");
    let pod = Pod {
        uid: label("io.kubernetes.pod.uid"),
        name: label("io.kubernetes.pod.name"),
        namespace: label("io.kubernetes.pod.namespace"),
        container: in_pod.filter(|_| !is_pods_own),
    };
    Container {
        id: id.to_owned(),
        runtime: Some("docker".to_owned()),
        name: name(state.name.trim_start_matches('/')),
        image: name(&state.config.image),
        pod: pod.name.is_some().then_some(pod),
    }
}
