//! Pods as the API server writes them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracer_core::{
    cgroup::meaning,
    fact::{Container, Pod},
};

use super::{
    Pods,
    known::Known,
    listed::{Listed, Written},
};

const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
const OTHER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
const MANIFEST: &str = "0123456789abcdef0123456789abcdef";

/// A pod as it stands in a list, with much that is of no matter here.
fn written(uid: &str, name: &str, annotations: &Value, status: &Value) -> Written {
    serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": "812345",
            "creationTimestamp": "2026-11-20T08:15:30Z",
            "labels": {"app": "web", "pod-template-hash": "7c5ddbdf54"},
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7c5ddbdf54",
                "uid": "11111111-2222-3333-4444-555555555555",
                "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1",
                "time": "2026-11-20T08:15:33Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:status": {"f:phase": {}}}, "subresource": "status"}],
        },
        "spec": {"nodeName": "worker-1", "containers": [{"name": "web", "image": "nginx:1.27"}]},
        "status": status,
    }))
    .unwrap()
}

fn pod(uid: &str, status: &Value) -> Listed {
    Listed::of(&written(uid, "web-0", &json!({}), status)).unwrap()
}

/// The status of a container that runs.
fn running(name: &str, address: &str) -> Value {
    json!({
        "name": name,
        "state": {"running": {"startedAt": "2026-11-20T08:15:32Z"}},
        "lastState": {},
        "ready": true,
        "restartCount": 0,
        "image": "docker.io/library/nginx:1.27",
        "imageID": "docker.io/library/nginx@sha256:0123",
        "containerID": address,
        "started": true,
    })
}

/// A pod of one container that runs.
fn web() -> Listed {
    let status = running("web", &format!("containerd://{ID}"));
    pod(
        UID,
        &json!({"phase": "Running", "containerStatuses": [status]}),
    )
}

fn known(pods: impl IntoIterator<Item = Listed>) -> Known {
    let mut known = Known::default();
    known.begin();
    for pod in pods {
        known.add(pod);
    }
    known.finish(Instant::now());
    known
}

fn find_at(known: &Known, cgroup: &str, now: Instant) -> Option<Container> {
    known.find(&meaning(cgroup), now)
}

fn find(known: &Known, cgroup: &str) -> Option<Container> {
    find_at(known, cgroup, Instant::now())
}

fn cgroup(uid: &str, id: &str) -> String {
    format!("/kubepods/burstable/pod{uid}/{id}")
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what it is compared with may be absent"
)]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn in_pod(container: Option<&str>) -> Pod {
    Pod {
        uid: some(UID),
        name: some("web-0"),
        namespace: some("shop"),
        container: container.map(str::to_owned),
    }
}

#[test]
fn a_container_has_the_names_of_its_pod() {
    let expected = Container {
        id: ID.to_owned(),
        runtime: some("containerd"),
        name: some("web"),
        image: some("docker.io/library/nginx:1.27"),
        pod: Some(in_pod(Some("web"))),
    };
    let known = known([web()]);
    assert_eq!(known.present(), 1);
    let slice = UID.replace('-', "_");
    for path in [
        cgroup(UID, ID),
        format!("/kubepods.slice/kubepods-pod{slice}.slice/cri-containerd-{ID}.scope"),
        // The path may say nothing of the pod.
        format!("/../cri-containerd-{ID}.scope"),
    ] {
        assert_eq!(find(&known, &path).as_ref(), Some(&expected), "{path}");
    }
    assert_eq!(find(&known, "/system.slice/nginx.service"), None);
    assert_eq!(find(&known, &format!("/docker/{OTHER}")), None);
}

#[test]
fn containers_of_all_kinds_and_runtimes() {
    for runtime in ["containerd", "cri-o", "docker"] {
        for kind in [
            "containerStatuses",
            "initContainerStatuses",
            "ephemeralContainerStatuses",
        ] {
            let status = running("debug", &format!("{runtime}://{ID}"));
            let known = known([pod(UID, &json!({kind: [status]}))]);
            let found = find(&known, &cgroup(UID, ID)).unwrap();
            assert_eq!(found.runtime, some(runtime));
            assert_eq!(found.name, some("debug"), "{kind}");
        }
    }
}

#[test]
fn a_container_that_is_started_anew_keeps_the_name_of_its_old_id() {
    let mut status = running("web", &format!("containerd://{OTHER}"));
    let ended = json!({"terminated": {
        "exitCode": 1, "reason": "Error", "containerID": format!("containerd://{ID}"),
        "startedAt": "2026-11-20T08:15:32Z", "finishedAt": "2026-11-20T08:16:32Z",
    }});
    status["lastState"] = ended.clone();
    let anew = pod(UID, &json!({"containerStatuses": [status.clone()]}));
    let old = find(&known([anew.clone()]), &cgroup(UID, ID)).unwrap();
    assert_eq!(old.name, some("web"));
    assert_eq!(old.image, None, "it may have been made from another one");
    let new = find(&known([anew.clone()]), &cgroup(UID, OTHER)).unwrap();
    assert_eq!(new.image, some("docker.io/library/nginx:1.27"));
    // What was seen of it is not forgotten, also when it is two ids ago.
    status["lastState"] = json!({});
    let later = pod(UID, &json!({"containerStatuses": [status.clone()]}));
    let known = known([web(), anew, later]);
    let old = find(&known, &cgroup(UID, ID)).unwrap();
    assert_eq!(old.image, some("docker.io/library/nginx:1.27"));
    // One that has ended and is not started anew.
    status["state"] = ended;
    status["containerID"] = Value::Null;
    let over = pod(UID, &json!({"containerStatuses": [status]}));
    assert!(over.container(ID).is_some());
}

#[test]
fn of_what_the_list_says_nothing_the_pod_is_known() {
    for status in [json!({}), json!({"phase": "Pending"}), Value::Null] {
        let known = known([pod(UID, &status)]);
        let found = find(&known, &cgroup(UID, ID)).unwrap();
        assert_eq!((found.name, found.runtime), (None, None));
        assert_eq!(found.pod, Some(in_pod(None)));
        assert_eq!(find(&known, &format!("/docker/{ID}")), None);
    }
}

#[test]
fn a_static_pod_is_known_by_the_hash_of_its_manifest() {
    for key in ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"] {
        let annotations = json!({key: MANIFEST, "kubernetes.io/config.source": "file"});
        let status = json!({"containerStatuses": [running("etcd", &format!("containerd://{ID}"))]});
        let mirror =
            |uid: &str, name: &str| Listed::of(&written(uid, name, &annotations, &status)).unwrap();
        let first = known([mirror(UID, "etcd-worker-1")]);
        let by_id = find(&first, &cgroup(MANIFEST, ID)).unwrap();
        assert_eq!(by_id.name, some("etcd"));
        let by_hash = find(&first, &cgroup(MANIFEST, OTHER)).unwrap();
        assert_eq!(by_hash.pod.unwrap().name, some("etcd-worker-1"));
        assert_eq!(find(&first, &cgroup(&"f".repeat(32), ID)), None);
        // The pod that stands for it may have been made anew, but not two that are called differently.
        let again = mirror("22222222-8b4d-4e5f-9a0b-1c2d3e4f5a6b", "etcd-worker-1");
        let anew = known([mirror(UID, "etcd-worker-1"), again]);
        assert!(find(&anew, &cgroup(MANIFEST, OTHER)).is_some());
        let claim = mirror("22222222-8b4d-4e5f-9a0b-1c2d3e4f5a6b", "claim");
        let claimed = known([mirror(UID, "etcd-worker-1"), claim]);
        assert_eq!(find(&claimed, &cgroup(MANIFEST, OTHER)), None);
    }
}

#[test]
fn nobody_takes_the_uid_of_another_pod() {
    let victim = "22222222-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
    let annotations = json!({"kubernetes.io/config.hash": victim});
    let claim = Listed::of(&written(UID, "web-0", &annotations, &json!({}))).unwrap();
    assert_eq!(find(&known([claim]), &cgroup(victim, ID)), None);
    // A path of one pod with the container of another.
    let mut other = written(victim, "victim", &json!({}), &json!({}));
    other.metadata.namespace = some("bank");
    let known = known([web(), Listed::of(&other).unwrap()]);
    let found = find(&known, &cgroup(victim, ID)).unwrap();
    assert_eq!(found.name, None);
    assert_eq!(found.pod.unwrap().name, some("victim"));
}

#[test]
fn a_pod_that_is_gone_is_known_for_a_while() {
    let mut known = known([web()]);
    let now = Instant::now();
    let last = pod(UID, &json!({"phase": "Succeeded"}));
    known.remove(last, now);
    assert_eq!(known.present(), 0);
    let at = |known: &Known, seconds| {
        find_at(known, &cgroup(UID, ID), now + Duration::from_secs(seconds))
    };
    assert_eq!(at(&known, 599).unwrap().name, some("web"));
    assert_eq!(at(&known, 600), None);
    assert_eq!(
        find_at(
            &known,
            &format!("/docker/{ID}"),
            now + Duration::from_mins(10)
        ),
        None
    );
}

#[test]
fn what_a_later_list_lacks_is_gone() {
    let uid = |number: u32| format!("{number:08x}-8b4d-4e5f-9a0b-1c2d3e4f5a6b");
    let now = Instant::now();
    let mut known = known([pod(&uid(1), &json!({})), pod(&uid(2), &json!({}))]);
    known.begin();
    known.add(pod(&uid(2), &json!({})));
    assert_eq!(known.present(), 2, "the list is not whole");
    known.finish(now);
    assert_eq!(known.present(), 1);
    let later = now + Duration::from_mins(11);
    assert!(find_at(&known, &cgroup(&uid(1), ID), now).is_some());
    assert!(find_at(&known, &cgroup(&uid(1), ID), later).is_none());
    assert!(find_at(&known, &cgroup(&uid(2), ID), later).is_some());
    // It comes back.
    known.begin();
    known.add(pod(&uid(1), &json!({})));
    known.finish(later);
    assert!(find_at(&known, &cgroup(&uid(1), ID), later).is_some());
    assert_eq!(known.present(), 1);
}

#[test]
fn there_is_an_end_to_what_is_remembered() {
    let uid = |number: u32| format!("{number:08x}-8b4d-4e5f-9a0b-1c2d3e4f5a6b");
    let mut known = known((0..5000).map(|number| pod(&uid(number), &Value::Null)));
    assert_eq!((known.present(), known.left_out()), (4096, 904));
    let now = Instant::now();
    known.begin();
    known.finish(now);
    assert_eq!((known.present(), known.left_out()), (0, 0));
    let remembered =
        (0..5000).filter(|number| find_at(&known, &cgroup(&uid(*number), ID), now).is_some());
    assert_eq!(remembered.count(), 1024);
    // Of a container that is started over and over, the last ids.
    let id = |number: u32| format!("{number:064x}");
    let runs = (0..200).map(|number| {
        let status = running("web", &format!("containerd://{}", id(number)));
        pod(UID, &json!({"containerStatuses": [status]}))
    });
    let mut crashing = Known::default();
    runs.for_each(|run| crashing.add(run));
    let is_named = |number: u32| find(&crashing, &format!("/docker/{}", id(number))).is_some();
    let named: Vec<u32> = (0..200).filter(|number| is_named(*number)).collect();
    assert_eq!(named, (72..200).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_a_name_is_none() {
    let long = "w".repeat(1025);
    let status = running(&long, &format!("containerd://{ID}"));
    let status = json!({"containerStatuses": [
        status,
        running("a", "containerd://"),
        running("b", ID),
        running("c", &format!("containerd://{long}")),
    ]});
    let mut written = written(UID, "web-0", &json!({}), &status);
    written.metadata.namespace = Some(long.clone());
    let known = known([Listed::of(&written).unwrap()]);
    let found = find(&known, &cgroup(UID, ID)).unwrap();
    assert_eq!(found.name, None);
    let pod = found.pod.unwrap();
    assert_eq!(
        (pod.name, pod.namespace, pod.container),
        (some("web-0"), None, None)
    );
    written.metadata.name = Some(long);
    assert_eq!(Listed::of(&written), None);
    written.metadata.name = some("web-0");
    written.metadata.uid = None;
    assert_eq!(Listed::of(&written), None);
}

#[test]
fn how_it_goes_is_counted() {
    let pods = Pods::default();
    pods.failed();
    pods.begin();
    assert!(!pods.is_answered(), "nobody knows yet whether it is a list");
    pods.list(Some(web()));
    assert!(!pods.has_synced());
    assert_eq!(pods.counts().last_success, None);
    pods.finish();
    assert!(pods.has_synced());
    assert!(pods.is_answered());
    pods.broke();
    pods.change(Some(pod(
        "22222222-8b4d-4e5f-9a0b-1c2d3e4f5a6b",
        &Value::Null,
    )));
    let counts = pods.counts();
    assert!(counts.last_success.is_some());
    assert_eq!(
        (counts.pods, counts.lists, counts.restarts, counts.errors),
        (2, 1, 1, 1)
    );
    pods.remove(Some(web()));
    assert_eq!(pods.counts().pods, 1);
    assert!(pods.container(&meaning(&cgroup(UID, ID))).is_some());
}

impl Pods {
    /// Those of a list that has come.
    pub fn listed(list: &[Value]) -> Self {
        let pods = Self::default();
        pods.begin();
        for pod in list {
            let written = serde_json::from_value(pod.clone()).unwrap();
            pods.list(Listed::of(&written));
        }
        pods.finish();
        pods
    }
}
