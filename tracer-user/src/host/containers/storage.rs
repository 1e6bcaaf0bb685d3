//! CRI-O and Podman, which keep their containers in `containers/storage`.
//!
//! CRI-O annotates the bundle in the run root; Podman gives the storage a name and an image to keep.

use serde::Deserialize;
use tracer_core::fact::{Container, Pod};

use super::{
    Wanted,
    files::{Files, name},
    oci::Annotations,
};

/// Drivers of the storage that have directories of their own, most used first.
const DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];
/// Lists of containers: those that survive a boot, and those that do not.
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];

/// Finds a container of CRI-O by its bundle.
pub fn crio(files: &mut Files, wanted: &Wanted) -> Option<Container> {
    let annotations = DRIVERS.iter().find_map(|driver| {
        let id = &wanted.id;
        let bundle = format!("run/containers/storage/{driver}-containers/{id}/userdata");
        Annotations::of_bundle(files, &bundle)
    })?;
    // Podman's look much the same, but say less than its list.
    let is_crio = !annotations.says("io.container.manager", "libpod");
    is_crio.then(|| read_crio(&wanted.id, &annotations))
}

fn read_crio(id: &str, annotations: &Annotations) -> Container {
    let is_pods_own = annotations.says("io.kubernetes.cri-o.ContainerType", "sandbox");
    let in_pod = annotations
        .name("io.kubernetes.container.name")
        .filter(|_| !is_pods_own);
    let pod = Pod {
        uid: annotations.name("io.kubernetes.pod.uid"),
        name: annotations.name("io.kubernetes.pod.name"),
        namespace: annotations.name("io.kubernetes.pod.namespace"),
        container: in_pod.clone(),
    };
    Container {
        id: id.to_owned(),
        runtime: Some("cri-o".to_owned()),
        name: in_pod,
        image: annotations
            .name("io.kubernetes.cri-o.ImageName")
            .or_else(|| annotations.image()),
        pod: pod.name.is_some().then_some(pod),
    }
}

/// An entry of a list of containers.
#[derive(Deserialize)]
struct Listed {
    id: String,
    names: Option<Vec<String>>,
    /// What the engine wants kept: JSON in a string.
    #[serde(default)]
    metadata: String,
}

/// What Podman wants kept.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    #[serde(default)]
    image_name: String,
    /// Only of CRI-O, which keeps its containers in the same list.
    pod_name: Option<String>,
}

/// Finds a container of Podman in the list of its storage, of the user who runs it or of the machine.
pub fn podman(files: &mut Files, wanted: &Wanted) -> Option<Container> {
    let storage = match &wanted.home {
        Some(home) => format!("{home}/.local/share/containers/storage"),
        None => "var/lib/containers/storage".to_owned(),
    };
    let mut lists = DRIVERS
        .iter()
        .flat_map(|driver| LISTS.map(|list| format!("{storage}/{driver}-containers/{list}")));
    let listed = lists.find_map(|path| {
        let list: Vec<Listed> = files.json(&path)?;
        list.into_iter().find(|one| one.id == wanted.id)
    })?;
    // What another engine wants kept may be anything.
    let metadata: Metadata = serde_json::from_str(&listed.metadata).unwrap_or_default();
    let is_podmans = metadata.pod_name.is_none();
    is_podmans.then(|| Container {
        id: listed.id,
        runtime: Some("podman".to_owned()),
        name: listed
            .names
            .unwrap_or_default()
            .first()
            .and_then(|one| name(one)),
        image: name(&metadata.image_name),
        pod: None,
    })
}
