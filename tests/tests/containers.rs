//! Real containers at the cgroup paths of real runtimes, with the files of their engines.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tracer_tests::{
    conntracer,
    container::Container,
    netns::Netns,
    peer,
    peer::Peer,
    record::Record,
    scratch::Scratch,
    tracer::{Finished, Tracer},
};

const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

/// What is told, with these flags, of a connection that a container makes to a server beside it.
/// `run`: runs one with these words to its end.
fn traced(flags: &[&str], run: impl FnOnce(&Netns, &[&str])) -> Finished {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let tracer = Tracer::start(&[&["--netns", &inode], flags].concat());
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let target = format!("127.0.0.1:{}", server.port());
    run(&netns, &["connect", &target, "10", "10"]);
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    finished
}

/// The records of the container's end, of which none may be missing.
fn outbound(finished: &Finished) -> Vec<Record> {
    let records = finished.records.iter();
    let records: Vec<Record> = records
        .filter(|record| record.text("direction") == "outbound")
        .cloned()
        .collect();
    let events: Vec<&str> = records.iter().map(Record::event).collect();
    assert_eq!(events, ["connect", "established", "close"]);
    for record in &records {
        assert_eq!(record.text("process.exe"), "/peer");
        assert_eq!(record.number("process.ns_pid"), Some(1));
    }
    records
}

/// What the records say of a container at this cgroup path: all of them the same.
fn records_of(cgroup: &str) -> Vec<Record> {
    let finished = traced(&[], |netns, words| {
        Container::new(netns, cgroup, words).run();
    });
    let records = outbound(&finished);
    for record in &records {
        assert_eq!(record.text("cgroup.path"), cgroup);
    }
    records
}

/// 64 digits that no other test uses.
fn id(of: u8) -> String {
    format!("{:032x}{of:032x}", std::process::id())
}

/// Writes a file below a directory.
fn write(below: &Path, path: &str, text: &str) {
    let path = below.join(path);
    let directory = path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    fs::write(path, text).unwrap();
}

/// Runs a container whose bundle, with these annotations, is where its engine has it: below `/run`.
fn run_annotated(
    (netns, words): (&Netns, &[&str]),
    cgroup: &str,
    annotations: &Value,
    place: &Path,
) {
    let container = Container::new(netns, cgroup, words).annotated(annotations);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    symlink(container.bundle(), place).unwrap();
    container.run();
}

#[test]
fn kubernetes_with_containerd_and_the_systemd_driver() {
    let id = id(1);
    let pod = UID.replace('-', "_");
    let cgroup = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod}.slice/\
         cri-containerd-{id}.scope"
    );
    for record in records_of(&cgroup) {
        assert_eq!(
            record.at("container"),
            &json!({"id": id, "runtime": "containerd"})
        );
        assert_eq!(record.at("pod"), &json!({"uid": UID}));
    }
}

#[test]
fn kubernetes_with_the_cgroupfs_driver() {
    let id = id(2);
    for record in records_of(&format!("/kubepods/burstable/pod{UID}/{id}")) {
        assert_eq!(record.at("container"), &json!({"id": id}));
        assert_eq!(record.at("pod"), &json!({"uid": UID}));
    }
}

#[test]
fn docker() {
    let id = id(3);
    for record in records_of(&format!("/docker/{id}")) {
        assert_eq!(record.text("container.id"), id);
        assert_eq!(record.text("container.runtime"), "docker");
        assert_eq!(record.at("pod"), &Value::Null);
    }
}

/// A container that starts while tracing is selected by its names from its first record on, and a
/// recording has them, wherever it is replayed.
/// A path that engines, kubelets or what is built of them make, and what it says.
struct Form {
    path: String,
    id: Option<String>,
    runtime: &'static str,
    pod: &'static str,
}

impl Form {
    /// One of a path with `ID`, `OTHER`, `UID` and `U_I_D` in it.
    fn new(number: u8, path: &str, runtime: &'static str, pod: &'static str) -> Self {
        let own = id(100 + number);
        let path = path
            .replace("U_I_D", &UID.replace('-', "_"))
            .replace("UID", UID)
            .replace("OTHER", &id(200 + number))
            .replace("ID", &own);
        let id = Some(own);
        Self {
            path,
            id,
            runtime,
            pod,
        }
    }

    /// The same of a container that is called otherwise.
    fn called(self, id: Option<&str>) -> Self {
        Self {
            id: id.map(str::to_owned),
            ..self
        }
    }
}

/// All that are known.
fn forms() -> Vec<Form> {
    const MANIFEST: &str = "0123456789abcdef0123456789abcdef";
    const GARDEN: &str = "01234567-89ab-cdef-0123-4567";
    let (none, containerd, crio, docker, podman) = ("", "containerd", "cri-o", "docker", "podman");
    let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice";
    let of_kind = "/tests/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
                   kubelet-kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope";
    let named = format!("web-{}", std::process::id());
    vec![
        // The cgroupfs driver.
        Form::new(0, "/kubepods/burstable/podUID/ID", none, UID),
        Form::new(1, "/kubepods/besteffort/podUID/ID", none, UID),
        Form::new(2, "/kubepods/podUID/ID", none, UID),
        // A static pod.
        Form::new(3, &format!("/kubepods/pod{MANIFEST}/ID"), none, MANIFEST),
        // The systemd driver.
        Form::new(
            4,
            &format!("{slice}/cri-containerd-ID.scope"),
            containerd,
            UID,
        ),
        Form::new(5, &format!("{slice}/crio-ID.scope"), crio, UID),
        Form::new(6, &format!("{slice}/docker-ID.scope"), docker, UID),
        Form::new(7, &format!("{slice}/libpod-ID.scope"), podman, UID),
        Form::new(
            8,
            "/kubepods.slice/kubepods-podU_I_D.slice/cri-containerd-ID.scope",
            containerd,
            UID,
        ),
        // Nodes that are containers themselves: the innermost counts.
        Form::new(9, of_kind, containerd, UID),
        Form::new(
            10,
            "/system.slice/docker-OTHER.scope/kubepods/burstable/podUID/ID",
            none,
            UID,
        ),
        // What systemd would read, made a directory by the cgroupfs driver.
        Form::new(
            11,
            "/kubepods-burstable-podU_I_D.slice:cri-containerd:ID",
            containerd,
            UID,
        ),
        // CRI-O, whose conmon is in no container.
        Form::new(12, "/kubepods/podUID/crio-ID", crio, UID),
        Form::new(13, &format!("{slice}/crio-ID.scope/container"), crio, UID),
        Form::new(14, "/kubepods/podUID/crio-conmon-ID", none, UID).called(None),
        // A cgroup below a container's.
        Form::new(15, "/kubepods/podUID/ID/kube-proxy", none, UID),
        Form::new(16, "/docker/ID/syscont-cgroup-root", docker, none),
        // Without Kubernetes.
        Form::new(17, "/docker/ID", docker, none),
        Form::new(18, "/system.slice/docker-ID.scope", docker, none),
        Form::new(19, "/machine.slice/libpod-ID.scope/container", podman, none),
        Form::new(20, "/libpod_parent/libpod-payload-ID", podman, none),
        Form::new(21, "/system.slice/nerdctl-ID.scope", containerd, none),
        Form::new(22, &format!("/lxc/{named}"), "lxc", none).called(Some(&named)),
        Form::new(23, &format!("/lxc.payload.{named}/init.scope"), "lxc", none)
            .called(Some(&named)),
        Form::new(24, &format!("/garden/{GARDEN}"), none, none).called(Some(GARDEN)),
        // Services are none.
        Form::new(
            25,
            "/podruntime.slice/conntracer-test-ID.service",
            none,
            none,
        )
        .called(None),
        Form::new(
            26,
            r"/system.slice/conntracer\x2dtest-ID.service",
            none,
            none,
        )
        .called(None),
    ]
}

/// Each form in a real cgroup, with a real process in it.
#[test]
fn every_form_of_path_says_container_and_pod() {
    let forms = forms();
    let netns = Netns::new();
    let tracer = Tracer::start(&["--netns", &netns.inode().to_string()]);
    let count = forms.len().to_string();
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", &count, "10", "10"]);
    let target = format!("127.0.0.1:{}", server.port());
    for form in &forms {
        Container::new(&netns, &form.path, &["connect", &target, "10", "10"]).run();
    }
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    for form in &forms {
        let records = finished.records.iter();
        let records: Vec<&Record> = records
            .filter(|record| record.text("cgroup.path") == form.path)
            .collect();
        assert_eq!(records.len(), 3, "{}", form.path);
        for record in records {
            assert_eq!(
                record.at("container.id").as_str(),
                form.id.as_deref(),
                "{record:?}"
            );
            assert_eq!(record.text("container.runtime"), form.runtime, "{record:?}");
            assert_eq!(record.text("pod.uid"), form.pod, "{record:?}");
        }
    }
}

#[test]
fn containerd_names_container_and_pod() {
    let id = id(4);
    let cgroup = format!("/kubepods/burstable/pod{UID}/{id}");
    let annotations = json!({
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.container-name": "web",
        "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.27",
        "io.kubernetes.cri.sandbox-name": "web-0",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": UID,
    });
    let run = Scratch::new();
    let task = format!("containerd/io.containerd.runtime.v2.task/k8s.io/{id}");
    let place = run.path().join(task);
    let files = Scratch::new();
    let recording = files.file("case.rec");
    let names = [
        "--container",
        "web",
        "--pod",
        "web-*",
        "--namespace",
        "shop",
    ];
    let flags = [&["--record", &recording], &names[..]].concat();
    let finished = run.in_place_of("/run", || {
        traced(&flags, |netns, words| {
            run_annotated((netns, words), &cgroup, &annotations, &place);
        })
    });
    let expected = json!({
        "id": id,
        "runtime": "containerd",
        "name": "web",
        "image": "docker.io/library/nginx:1.27",
    });
    let pod = json!({"uid": UID, "name": "web-0", "namespace": "shop", "container": "web"});
    for record in outbound(&finished) {
        assert_eq!(record.at("container"), &expected);
        assert_eq!(record.at("pod"), &pod);
    }
    let others = finished.without_losses().len() - ["start", "stop"].len();
    assert_eq!(others, 3, "nothing but the container's end is selected");
    let replay = Command::new(conntracer())
        .args(["replay", &recording, "-o", "json"])
        .args(names)
        .output()
        .unwrap();
    let lines = String::from_utf8(replay.stdout).unwrap();
    let of_pod = lines.lines().filter(|line| line.contains("\"web-0\""));
    assert_eq!(of_pod.count(), 3, "{lines}");
}

#[test]
fn crio_names_container_and_pod() {
    let id = id(5);
    let cgroup = format!("/kubepods/burstable/pod{UID}/crio-{id}");
    let annotations = json!({
        "io.container.manager": "cri-o",
        "io.kubernetes.container.name": "web",
        "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.cri-o.ImageName": "registry.k8s.io/web:v1",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": UID,
    });
    let run = Scratch::new();
    let bundle = format!("containers/storage/overlay-containers/{id}/userdata");
    let place = run.path().join(bundle);
    let finished = run.in_place_of("/run", || {
        traced(&[], |netns, words| {
            run_annotated((netns, words), &cgroup, &annotations, &place);
        })
    });
    for record in outbound(&finished) {
        assert_eq!(record.text("container.name"), "web");
        assert_eq!(record.text("container.runtime"), "cri-o");
        assert_eq!(record.text("container.image"), "registry.k8s.io/web:v1");
        assert_eq!(record.text("pod.name"), "web-0");
        assert_eq!(record.text("pod.namespace"), "shop");
        assert_eq!(record.text("pod.container"), "web");
    }
}

#[test]
fn docker_names_containers() {
    let id = id(6);
    let state = json!({
        "ID": id,
        "Name": "/web\u{1b}[2J",
        "Image": "sha256:0123",
        "Config": {"Image": "nginx:1.27", "Labels": {}},
    });
    let lib = Scratch::new();
    let path = format!("docker/containers/{id}/config.v2.json");
    write(lib.path(), &path, &state.to_string());
    let finished = lib.in_place_of("/var/lib", || {
        traced(&["--not-container", "db"], |netns, words| {
            Container::new(netns, &format!("/docker/{id}"), words).run();
        })
    });
    for record in outbound(&finished) {
        assert_eq!(record.text("container.name"), "web\u{1b}[2J");
        assert_eq!(record.text("container.image"), "nginx:1.27");
        assert_eq!(record.at("pod"), &Value::Null);
    }
}

/// The names are lost, and nothing else; which file it is, is said once.
#[test]
fn a_damaged_file_costs_the_names() {
    let id = id(7);
    let lib = Scratch::new();
    let path = format!("docker/containers/{id}/config.v2.json");
    write(lib.path(), &path, "{\"Name\": \"/w");
    let finished = lib.in_place_of("/var/lib", || {
        traced(&[], |netns, words| {
            Container::new(netns, &format!("/docker/{id}"), words).run();
        })
    });
    for record in outbound(&finished) {
        let expected = json!({"id": id, "runtime": "docker"});
        assert_eq!(record.at("container"), &expected);
    }
    let warnings = finished.stderr.matches(&path).count();
    assert_eq!(warnings, 1, "{}", finished.stderr);
}

/// The real Podman, with a storage of its own and an image of nothing but the peer.
#[test]
fn podman_names_containers() {
    let (run, lib, files) = (Scratch::new(), Scratch::new(), Scratch::new());
    fs::copy(peer(), files.file("peer")).unwrap();
    let finished = run.in_place_of("/run", || {
        lib.in_place_of("/var/lib", || {
            import(files.path());
            traced(&["--container", "web"], |netns, words| {
                let network = format!("ns:{}", netns.path());
                let of_run = ["run", "--rm", "--name", "web", "--network", &network];
                // Not every machine lets them be raised.
                let limits = [
                    "--ulimit",
                    "nofile=1024:1024",
                    "--ulimit",
                    "nproc=1024:1024",
                ];
                let program = ["--entrypoint", "/peer", IMAGE];
                podman(&[&of_run[..], &limits, &program, words].concat());
            })
        })
    });
    for record in outbound(&finished) {
        assert_eq!(record.text("container.name"), "web");
        assert_eq!(record.text("container.runtime"), "podman");
        assert_eq!(record.text("container.image"), IMAGE);
        assert_eq!(record.text("container.id").len(), 64);
    }
}

const IMAGE: &str = "localhost/peer:1.0";

/// Makes an image of the peer in a directory.
fn import(directory: &Path) {
    let archive = directory.join("peer.tar");
    let archive = archive.to_string_lossy();
    let mut tar = Command::new("tar");
    tar.args(["-cf", &archive, "-C"]).arg(directory).arg("peer");
    succeeds(&tar.output().unwrap());
    podman(&["import", &archive, IMAGE]);
}

fn podman(words: &[&str]) {
    // The machine may have no systemd, and no file system that overlays can be made of.
    let common = [
        "--runtime",
        "runc",
        "--cgroup-manager",
        "cgroupfs",
        "--storage-driver",
        "vfs",
    ];
    let output = Command::new("podman").args(common).args(words).output();
    succeeds(&output.unwrap());
}

fn succeeds(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
