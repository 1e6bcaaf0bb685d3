//! containerd: Kubernetes (k3s, RKE2 and others), nerdctl.
//!
//! The bundle of each running task is below containerd's state directory, by namespace and id.

use tracer_core::fact::{Container, Pod};

use super::{Wanted, files::Files, oci::Annotations};

/// State directories: containerd's own, of k3s and RKE2, k0s, `MicroK8s`, and of the one that Docker starts.
const STATES: [&str; 5] = [
    "run/containerd",
    "run/k3s/containerd",
    "run/k0s/containerd",
    "var/snap/microk8s/common/run/containerd",
    "run/docker/containerd/daemon",
];
/// The plug-in that runs tasks.
const TASKS: &str = "io.containerd.runtime.v2.task";

/// Finds a container among the running tasks.
pub fn find(files: &mut Files, wanted: &Wanted) -> Option<Container> {
    STATES.iter().find_map(|state| {
        let tasks = format!("{state}/{TASKS}");
        let namespaces = files.names(&tasks);
        namespaces.iter().find_map(|namespace| {
            let bundle = format!("{tasks}/{namespace}/{}", wanted.id);
            let annotations = Annotations::of_bundle(files, &bundle)?;
            Some(read(&wanted.id, &annotations))
        })
    })
}

fn read(id: &str, annotations: &Annotations) -> Container {
    let in_pod = annotations.name("io.kubernetes.cri.container-name");
    let pod = Pod {
        uid: annotations.name("io.kubernetes.cri.sandbox-uid"),
        name: annotations.name("io.kubernetes.cri.sandbox-name"),
        namespace: annotations.name("io.kubernetes.cri.sandbox-namespace"),
        container: in_pod.clone(),
    };
    Container {
        id: id.to_owned(),
        runtime: Some("containerd".to_owned()),
        name: in_pod.or_else(|| annotations.name("nerdctl/name")),
        image: annotations
            .name("io.kubernetes.cri.image-name")
            .or_else(|| annotations.image()),
        pod: pod.name.is_some().then_some(pod),
    }
}
