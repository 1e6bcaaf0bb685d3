//! Trees of files as the engines write them.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use tracer_core::fact::{Container, Pod};

use super::Engines;
use crate::host::pods::Pods;

const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

/// A root with files in it, removed when it is dropped.
struct Root(PathBuf);

impl Root {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conntracer-engines-{}-{number}", std::process::id());
        let root = Self(std::env::temp_dir().join(name));
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.place(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("ID", ID)).unwrap();
    }

    fn place(&self, path: &str) -> PathBuf {
        self.0.join(path.replace("ID", ID))
    }

    fn engines(&self) -> Engines {
        self.engines_beside(None)
    }

    fn engines_beside(&self, pods: Option<Pods>) -> Engines {
        Engines::below(vec![self.0.to_string_lossy().into_owned()], pods)
    }

    fn container(&self, cgroup: &str) -> Option<Container> {
        self.engines().container(&cgroup.replace("ID", ID))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what it is compared with may be absent"
)]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The container `web` of the pod `web-0` in the namespace `shop`.
fn in_pod(runtime: &str, image: &str) -> Container {
    Container {
        id: ID.to_owned(),
        runtime: some(runtime),
        name: some("web"),
        image: some(image),
        pod: Some(Pod {
            uid: some(UID),
            name: some("web-0"),
            namespace: some("shop"),
            container: some("web"),
        }),
    }
}

fn alone(runtime: &str, name: &str, image: Option<&str>) -> Container {
    Container {
        id: ID.to_owned(),
        runtime: some(runtime),
        name: some(name),
        image: image.map(str::to_owned),
        pod: None,
    }
}

const OF_CONTAINERD: &str = r#"{"ociVersion": "1.1.0", "hostname": "web-0", "annotations": {
    "io.kubernetes.cri.container-name": "web",
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.27",
    "io.kubernetes.cri.sandbox-id": "500027715b8a",
    "io.kubernetes.cri.sandbox-name": "web-0",
    "io.kubernetes.cri.sandbox-namespace": "shop",
    "io.kubernetes.cri.sandbox-uid": "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b"}}"#;

#[test]
fn containerd_of_any_distribution_of_kubernetes() {
    for state in [
        "run/containerd",
        "run/k3s/containerd",
        "run/k0s/containerd",
        "var/snap/microk8s/common/run/containerd",
    ] {
        let bundle = format!("{state}/io.containerd.runtime.v2.task/k8s.io/ID/config.json");
        let root = Root::new(&[(&bundle, OF_CONTAINERD)]);
        for cgroup in [
            "/kubepods/burstable/pod6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b/ID",
            "/kubepods.slice/kubepods-podx.slice/cri-containerd-ID.scope",
        ] {
            assert_eq!(
                root.container(cgroup),
                Some(in_pod("containerd", "docker.io/library/nginx:1.27")),
                "{state} {cgroup}"
            );
        }
    }
}

#[test]
fn the_container_that_holds_a_pods_namespaces_has_no_name() {
    let root = Root::new(&[(
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json",
        r#"{"annotations": {"io.kubernetes.cri.container-type": "sandbox",
            "io.kubernetes.cri.sandbox-name": "web-0",
            "io.kubernetes.cri.sandbox-namespace": "shop"}}"#,
    )]);
    let found = root.container("/cri-containerd-ID.scope").unwrap();
    let pod = found.pod.unwrap();
    assert_eq!((found.name, found.image, pod.container), (None, None, None));
    assert_eq!((pod.name, pod.namespace), (some("web-0"), some("shop")));
    let root = Root::new(&[(
        "run/containers/storage/overlay-containers/ID/userdata/config.json",
        r#"{"annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox",
            "io.kubernetes.container.name": "POD", "io.kubernetes.pod.name": "web-0"}}"#,
    )]);
    let found = root.container("/crio-ID.scope").unwrap();
    let pod = found.pod.unwrap();
    assert_eq!((found.name, pod.container), (None, None));
    assert_eq!(pod.name, some("web-0"));
}

#[test]
fn nerdctl() {
    let root = Root::new(&[(
        "run/containerd/io.containerd.runtime.v2.task/default/ID/config.json",
        r#"{"annotations": {"nerdctl/name": "web", "nerdctl/namespace": "default"}}"#,
    )]);
    assert_eq!(
        root.container("/system.slice/nerdctl-ID.scope"),
        Some(alone("containerd", "web", None))
    );
}

#[test]
fn crio() {
    let root = Root::new(&[(
        "run/containers/storage/overlay-containers/ID/userdata/config.json",
        r#"{"annotations": {"io.container.manager": "cri-o",
            "io.kubernetes.container.name": "web",
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.ImageName": "registry.k8s.io/web:v1",
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b"}}"#,
    )]);
    for cgroup in ["/kubepods/pod1/crio-ID", "/kubepods/pod1/ID"] {
        let found = root.container(cgroup);
        assert_eq!(found, Some(in_pod("cri-o", "registry.k8s.io/web:v1")));
    }
}

#[test]
fn docker_of_the_machine_and_of_a_user() {
    let state = r#"{"StreamConfig": {}, "ID": "ID", "Name": "/web", "Driver": "overlay2",
        "Image": "sha256:0123", "Config": {"Hostname": "3f4e5d6c7b8a", "Image": "nginx:1.27",
        "Labels": {"com.docker.compose.service": "web"}}}"#;
    let expected = Some(alone("docker", "web", Some("nginx:1.27")));
    let path = "var/lib/docker/containers/ID/config.v2.json";
    let root = Root::new(&[(path, state)]);
    assert_eq!(root.container("/docker/ID"), expected);
    assert_eq!(root.container("/system.slice/docker-ID.scope"), expected);
    let of_ann = "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope";
    root.write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
    );
    assert_eq!(root.container(of_ann), None, "it is not hers");
    root.write(
        "home/ann/.local/share/docker/containers/ID/config.v2.json",
        &state.replace("/web", "/anns"),
    );
    let hers = Some(alone("docker", "anns", Some("nginx:1.27")));
    assert_eq!(root.container(of_ann), hers);
    assert_eq!(root.container("/docker/ID"), expected);
}

#[test]
fn docker_of_kubernetes() {
    let root = Root::new(&[(
        "var/lib/docker/containers/ID/config.v2.json",
        r#"{"Name": "/k8s_web_web-0_shop_1_0", "Config": {"Image": "nginx@sha256:01", "Labels": {
            "io.kubernetes.container.name": "web", "io.kubernetes.docker.type": "container",
            "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b"}}}"#,
    )]);
    let expected = Container {
        name: some("k8s_web_web-0_shop_1_0"),
        ..in_pod("docker", "nginx@sha256:01")
    };
    assert_eq!(root.container("/kubepods/pod1/ID"), Some(expected));
}

#[test]
fn podman_of_the_machine_and_of_a_user() {
    let list = r#"[{"id": "00", "names": null, "metadata": "{}"},
        {"id": "ID", "names": ["web"], "image": "98f8", "layer": "ecd7",
         "metadata": "{\"image-name\":\"docker.io/library/nginx:1.27\",\"image-id\":\"98f8\",\"name\":\"web\"}",
         "created": "2026-11-21T23:52:41Z", "flags": {"MountLabel": ""}}]"#;
    let expected = Some(alone("podman", "web", Some("docker.io/library/nginx:1.27")));
    let cgroup = "/machine.slice/libpod-ID.scope/container";
    for path in [
        "var/lib/containers/storage/overlay-containers/containers.json",
        "var/lib/containers/storage/vfs-containers/volatile-containers.json",
    ] {
        assert_eq!(Root::new(&[(path, list)]).container(cgroup), expected);
    }
    let root = Root::new(&[
        ("etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n"),
        (
            "home/ann/.local/share/containers/storage/overlay-containers/containers.json",
            list,
        ),
    ]);
    let of_ann =
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container";
    assert_eq!(root.container(of_ann), expected);
    assert_eq!(root.container(cgroup), None);
    let of_bob = of_ann.replace("1000", "1001");
    assert_eq!(root.container(&of_bob), None, "nobody knows his home");
}

#[test]
fn runc_without_an_engine() {
    let root = Root::new(&[
        (
            "run/runc/ID/state.json",
            r#"{"id": "ID", "config": {"labels": ["org=x", "bundle=/srv/web"]}}"#,
        ),
        (
            "srv/web/config.json",
            r#"{"hostname": "no-name", "annotations": {
                "org.opencontainers.image.ref.name": "example.org/web:1"}}"#,
        ),
    ]);
    let found = root.container("/srv/ID").unwrap();
    assert_eq!(found.runtime, some("runc"));
    assert_eq!(found.image, some("example.org/web:1"));
    assert_eq!(found.name, None);
}

const BUNDLE: &str = "run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json";
const CGROUP: &str = "/kubepods/pod1/cri-containerd-ID";

#[test]
fn a_damaged_file_costs_a_name_and_nothing_else() {
    let deep = "[".repeat(100_000);
    let large = format!(r#"{{"annotations": {{"x": "{}"}}}}"#, "y".repeat(9 << 20));
    for text in ["", "{", "[]", r#"{"annotations": 7}"#, &deep, &large] {
        let root = Root::new(&[(BUNDLE, text)]);
        assert_eq!(root.container(CGROUP), None);
    }
    let root = Root::new(&[]);
    fs::create_dir_all(root.place(BUNDLE)).unwrap();
    assert_eq!(root.container(CGROUP), None);
}

#[test]
fn nothing_is_waited_for_and_no_link_leads_out() {
    let root = Root::new(&[("x", "")]);
    let path = root.place(BUNDLE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(root.container(CGROUP), None);
    fs::remove_file(&path).unwrap();
    // Out of the root there is such a file; below it, at first, there is none.
    let outside = Root::new(&[("config.json", OF_CONTAINERD)]);
    let target = outside.place("config.json");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert_eq!(root.container(CGROUP), None);
    let below = target
        .strip_prefix("/")
        .unwrap()
        .to_string_lossy()
        .into_owned();
    root.write(&below, OF_CONTAINERD);
    assert!(root.container(CGROUP).is_some());
}

#[test]
fn what_cannot_be_a_name_is_none() {
    let text = OF_CONTAINERD.replace("\"web\"", &format!("\"{}\"", "w".repeat(1025)));
    let found = Root::new(&[(BUNDLE, &text)]).container(CGROUP).unwrap();
    assert_eq!(found.name, None);
    assert_eq!(found.pod.unwrap().name, some("web-0"));
}

#[test]
fn what_is_missing_is_looked_for_again_but_not_at_once() {
    let root = Root::new(&[("x", "")]);
    let mut engines = root.engines();
    let cgroup = CGROUP.replace("ID", ID);
    assert_eq!(engines.container(&cgroup), None);
    root.write(BUNDLE, OF_CONTAINERD);
    assert_eq!(engines.container(&cgroup), None);
    a_second_later(&mut engines);
    assert!(engines.container(&cgroup).is_some());
}

fn a_second_later(engines: &mut Engines) {
    for missed in engines.missed.values_mut() {
        missed.at -= super::AGAIN_AFTER;
    }
}

/// The pod of [`in_pod`] as an API server lists it, with what that says of its container.
fn list(statuses: &serde_json::Value) -> Pods {
    let pod = json!({
        "metadata": {"name": "web-0", "namespace": "shop", "uid": UID},
        "spec": {},
        "status": {"containerStatuses": statuses},
    });
    Pods::listed(&[pod])
}

/// The same with its container, which the list calls otherwise than the files do.
fn full_list() -> Pods {
    list(
        &json!([{"name": "listed", "image": "listed:1", "imageID": "", "ready": true, "restartCount": 0,
        "containerID": format!("containerd://{ID}")}]),
    )
}

const CGROUP_OF_POD: &str =
    "/kubepods/burstable/pod6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b/cri-containerd-ID";

#[test]
fn the_list_names_what_files_do_not() {
    let root = Root::new(&[("x", "")]);
    let cgroup = CGROUP_OF_POD.replace("ID", ID);
    let mut engines = root.engines_beside(Some(full_list()));
    let found = engines.container(&cgroup).unwrap();
    assert_eq!(found.name, some("listed"));
    assert_eq!(found.image, some("listed:1"));
    assert_eq!(found.pod.unwrap().name, some("web-0"));
    // What files say counts.
    root.write(BUNDLE, OF_CONTAINERD);
    let mut engines = root.engines_beside(Some(full_list()));
    let expected = in_pod("containerd", "docker.io/library/nginx:1.27");
    assert_eq!(engines.container(&cgroup), Some(expected));
    // As far as they do.
    root.write(
        BUNDLE,
        r#"{"annotations": {"org.opencontainers.image.ref.name": "own:1"}}"#,
    );
    let mut engines = root.engines_beside(Some(full_list()));
    let found = engines.container(&cgroup).unwrap();
    assert_eq!(found.image, some("own:1"));
    assert_eq!(found.name, some("listed"));
    assert_eq!(found.pod.unwrap().container, some("listed"));
}

#[test]
fn what_is_told_late_is_told_and_nothing_twice() {
    let root = Root::new(&[(
        BUNDLE,
        r#"{"annotations": {"org.opencontainers.image.ref.name": "own:1"}}"#,
    )]);
    let cgroup = CGROUP_OF_POD.replace("ID", ID);
    let mut engines = root.engines_beside(Some(Pods::default()));
    let of_files = engines.container(&cgroup).unwrap();
    assert_eq!((of_files.image, of_files.pod), (some("own:1"), None));
    a_second_later(&mut engines);
    assert_eq!(engines.container(&cgroup), None, "nothing new");
    // The list has the pod, and says nothing of its container yet.
    engines.pods = Some(list(&json!([])));
    assert_eq!(
        engines.container(&cgroup),
        None,
        "it has just been looked for"
    );
    a_second_later(&mut engines);
    let pod = engines.container(&cgroup).unwrap().pod.unwrap();
    assert_eq!((pod.name, pod.container), (some("web-0"), None));
    a_second_later(&mut engines);
    assert_eq!(engines.container(&cgroup), None, "nothing new");
    engines.pods = Some(full_list());
    a_second_later(&mut engines);
    let pod = engines.container(&cgroup).unwrap().pod.unwrap();
    assert_eq!(pod.container, some("listed"));
    assert!(engines.missed.is_empty(), "there is nothing more to know");
}

#[test]
fn no_user_takes_the_name_of_a_pod() {
    let root = Root::new(&[("etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n")]);
    let mut engines = root.engines_beside(Some(full_list()));
    let of_ann = format!("/user.slice/user-1000.slice/user@1000.service{CGROUP_OF_POD}");
    assert_eq!(engines.container(&of_ann.replace("ID", ID)), None);
}

#[test]
fn the_first_root_counts() {
    let other = OF_CONTAINERD.replace("web-0", "web-1");
    let roots = [
        Root::new(&[(BUNDLE, &other)]),
        Root::new(&[(BUNDLE, OF_CONTAINERD)]),
    ];
    let paths = roots
        .iter()
        .map(|root| root.0.to_string_lossy().into_owned());
    let mut engines = Engines::below(paths.collect(), None);
    let found = engines.container(&CGROUP.replace("ID", ID)).unwrap();
    assert_eq!(found.pod.unwrap().name, some("web-1"));
    fs::remove_file(roots[0].place(BUNDLE)).unwrap();
    let found = engines.container(&CGROUP.replace("ID", ID)).unwrap();
    assert_eq!(found.pod.unwrap().name, some("web-0"));
}

#[test]
fn a_path_that_is_no_containers_is_not_looked_for() {
    let root = Root::new(&[(BUNDLE, OF_CONTAINERD)]);
    for cgroup in ["/", "/system.slice/nginx.service", "/lxc.payload.web"] {
        assert_eq!(root.container(cgroup), None);
    }
}
