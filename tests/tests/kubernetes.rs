//! What is deployed to Kubernetes: the manifests as kustomize renders them, the image, and that the program takes what
//! they give it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tracer_tests::{
    conntracer,
    kubernetes::{manifests, objects, render, render_path, validate},
    scratch::Scratch,
};

/// The versions of Kubernetes that the manifests are held against: the oldest that has all their fields, and the newest.
const OLDEST: &str = "1.30";
const NEWEST: &str = "1.37";

/// Where the container is in what is rolled out.
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// What an overlay makes of the objects of the base.
type Change = fn(&mut Vec<Value>);

/// All overlays.
const OVERLAYS: [(&str, Change); 5] = [
    ("no-api", |objects| {
        objects.retain(|object| !of(object, "kind").starts_with("ClusterRole"));
        let pod = at(objects, "DaemonSet", "/spec/template/spec");
        pod["automountServiceAccountToken"] = json!(false);
        let args = pod["containers"][0]["args"].as_array_mut().unwrap();
        args.retain(|arg| arg != "--pods-of-node=$(NODE_NAME)");
    }),
    ("old-kernels", |objects| {
        let container = at(objects, "DaemonSet", CONTAINER);
        let added = &mut container["securityContext"]["capabilities"]["add"];
        added.as_array_mut().unwrap().push(json!("SYS_RESOURCE"));
    }),
    ("selinux", |objects| enter_other_domains(objects)),
    ("openshift", |objects| {
        enter_other_domains(objects);
        let labels = at(objects, "Namespace", "/metadata/labels");
        labels["security.openshift.io/scc.podSecurityLabelSync"] = json!("false");
        let annotations = at(objects, "DaemonSet", "/spec/template/metadata/annotations");
        annotations["openshift.io/required-scc"] = json!("privileged");
        let security = at(
            objects,
            "DaemonSet",
            &format!("{CONTAINER}/securityContext"),
        );
        security["seccompProfile"]["type"] = json!("Unconfined");
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "conntracer-privileged", "namespace": "conntracer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:openshift:scc:privileged",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "conntracer", "namespace": "conntracer"}],
        }));
    }),
    ("gke", |objects| {
        let classes = json!({
            "operator": "In",
            "scopeName": "PriorityClass",
            "values": ["system-node-critical"],
        });
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "conntracer-node-critical", "namespace": "conntracer"},
            "spec": {"hard": {"pods": "1G"}, "scopeSelector": {"matchExpressions": [classes]}},
        }));
    }),
];

fn enter_other_domains(objects: &mut [Value]) {
    let container = at(objects, "DaemonSet", CONTAINER);
    container["securityContext"]["seLinuxOptions"] = json!({"type": "spc_t"});
}

/// Text of an object.
fn of<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap()
}

/// A part of the one object of a kind.
fn at<'a>(objects: &'a mut [Value], kind: &str, pointer: &str) -> &'a mut Value {
    let mut of_kind = objects
        .iter_mut()
        .filter(|object| of(object, "kind") == kind);
    let object = of_kind.next().unwrap();
    assert!(of_kind.next().is_none(), "several are a {kind}");
    object.pointer_mut(pointer).unwrap()
}

/// A part of the one object of a kind, as the base has it.
fn base(kind: &str, pointer: &str) -> Value {
    at(&mut objects(&render("base")), kind, pointer).clone()
}

/// All directories that are deployed from.
fn directories() -> Vec<String> {
    let overlays = fs::read_dir(manifests().join("overlays")).unwrap();
    let names = overlays.map(|overlay| overlay.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<String> = names.map(|name| format!("overlays/{name}")).collect();
    all.push("base".to_owned());
    all
}

#[test]
fn every_field_is_one_of_kubernetes() {
    for directory in directories() {
        let yaml = render(&directory);
        for version in [OLDEST, NEWEST] {
            validate(&yaml, version).unwrap_or_else(|error| panic!("{directory}: {error:#}"));
        }
    }
}

#[test]
fn an_older_kubernetes_does_not_know_all_fields() {
    let error = validate(&render("base"), "1.29").unwrap_err().to_string();
    assert!(
        error.contains("'appArmorProfile' was unexpected"),
        "{error}"
    );
}

/// What the test above finds: a mistyped field, a value of another type, a kind that nobody knows.
#[test]
fn a_mistake_in_a_manifest_is_found() {
    let yaml = render("base");
    let mistakes = [
        (
            "readOnlyRootFilesystem: true",
            "readOnlyRootFileSystem: true",
            "was unexpected",
        ),
        (
            "hostPID: true",
            "hostPID: yes please",
            "is not of type 'boolean'",
        ),
        ("kind: DaemonSet", "kind: DemonSet", "Couldn't find schema"),
    ];
    for (right, wrong, what) in mistakes {
        assert!(yaml.contains(right), "{right}");
        for version in [OLDEST, NEWEST] {
            let error = validate(&yaml.replace(right, wrong), version).unwrap_err();
            assert!(error.to_string().contains(what), "{wrong}: {error:#}");
        }
    }
}

#[test]
fn overlays_change_what_they_say_and_nothing_else() {
    let overlays = OVERLAYS.map(|(name, _)| format!("overlays/{name}"));
    let mut known = [&overlays[..], &["base".to_owned()]].concat();
    let mut found = directories();
    known.sort();
    found.sort();
    assert_eq!(known, found, "an overlay has no test");
    let base = objects(&render("base"));
    for (name, change) in OVERLAYS {
        let mut expected = base.clone();
        change(&mut expected);
        let mut rendered = objects(&render(&format!("overlays/{name}")));
        for objects in [&mut expected, &mut rendered] {
            objects.sort_by_key(|object| of(object, "kind").to_owned());
        }
        assert_eq!(rendered, expected, "{name}");
    }
}

/// The one that the page shows, beside a copy of the base: another registry and another configuration, and nothing else.
#[test]
fn an_overlay_of_ones_own_is_as_the_page_has_it() {
    let page = fs::read_to_string(manifests().join("../../docs/kubernetes.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```\n").unwrap();
    let scratch = Scratch::new();
    let (copy, own) = (
        scratch.path().join("base"),
        scratch.path().join("overlays/own"),
    );
    for directory in [&copy, &own] {
        fs::create_dir_all(directory).unwrap();
    }
    for file in fs::read_dir(manifests().join("base")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    fs::write(own.join("kustomization.yaml"), example).unwrap();
    fs::write(own.join("config.toml"), "[history]\n").unwrap();
    let mut rendered = objects(&render_path(&own));
    let map = at(&mut rendered, "ConfigMap", "").clone();
    assert_eq!(map["data"], json!({"config.toml": "[history]\n"}));
    let mut expected = objects(&render("base"));
    *at(&mut expected, "ConfigMap", "") = map.clone();
    let pod = at(&mut expected, "DaemonSet", "/spec/template/spec");
    let image = format!("registry.example/conntracer:{}", env!("CARGO_PKG_VERSION"));
    pod["containers"][0]["image"] = json!(image);
    let mut volumes = pod["volumes"].as_array_mut().unwrap().iter_mut();
    let config = volumes.find(|volume| volume["name"] == "config").unwrap();
    config["configMap"]["name"] = map["metadata"]["name"].clone();
    assert_eq!(rendered, expected);
}

#[test]
fn it_may_do_no_more_than_it_needs() {
    let expected = json!({
        "runAsUser": 0,
        "privileged": false,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {
            "drop": ["ALL"],
            "add": ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"],
        },
        "seccompProfile": {"type": "RuntimeDefault"},
        "appArmorProfile": {"type": "Unconfined"},
    });
    let pod = base("DaemonSet", "/spec/template/spec");
    assert_eq!(pod["containers"][0]["securityContext"], expected);
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    assert_eq!(pod["initContainers"], Value::Null);
    assert_eq!(pod["hostPID"], true);
    assert_eq!(pod["hostNetwork"], false);
    assert_eq!(pod["hostIPC"], Value::Null);
    assert_eq!(pod["securityContext"], Value::Null);
    let labels = base("Namespace", "/metadata/labels");
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
}

/// Of what is mounted of the node, the history is all that can be written.
#[test]
fn only_the_history_is_mounted_to_be_written() {
    let pod = base("DaemonSet", "/spec/template/spec");
    let volumes = pod["volumes"].as_array().unwrap();
    let of_node = volumes
        .iter()
        .filter(|volume| volume["hostPath"] != Value::Null);
    let mut writable = Vec::new();
    for volume in of_node {
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let mut mounts = mounts
            .iter()
            .filter(|mount| mount["name"] == volume["name"]);
        if mounts.any(|mount| mount["readOnly"] != true) {
            writable.push(&volume["hostPath"]);
        }
    }
    let history = json!({"path": "/var/lib/conntracer", "type": "DirectoryOrCreate"});
    assert_eq!(writable, [&history]);
}

#[test]
fn of_the_cluster_it_reads_pods() {
    let rules = base("ClusterRole", "/rules");
    let pods =
        json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]);
    assert_eq!(rules, pods);
    let role = base("ClusterRole", "/metadata/name");
    let binding = base("ClusterRoleBinding", "");
    assert_eq!(binding["roleRef"]["name"], role);
    let account =
        json!([{"kind": "ServiceAccount", "name": "conntracer", "namespace": "conntracer"}]);
    assert_eq!(binding["subjects"], account);
    assert_eq!(base("ServiceAccount", "/metadata/name"), "conntracer");
    assert_eq!(
        base("ServiceAccount", "/automountServiceAccountToken"),
        false
    );
    let account = base("DaemonSet", "/spec/template/spec/serviceAccountName");
    assert_eq!(account, "conntracer");
}

/// Who asks after its health and who scrapes it finds it where it was told to be.
#[test]
fn it_is_asked_where_it_answers() {
    let mut objects = objects(&render("base"));
    let annotations = at(
        &mut objects,
        "DaemonSet",
        "/spec/template/metadata/annotations",
    )
    .clone();
    let container = at(&mut objects, "DaemonSet", CONTAINER);
    let args = container["args"].as_array().unwrap();
    let mut health = args
        .iter()
        .filter_map(|arg| arg.as_str()?.strip_prefix("--health="));
    let (_, port) = health.next().unwrap().rsplit_once(':').unwrap();
    assert_eq!(annotations["prometheus.io/port"], port);
    let port: u16 = port.parse().unwrap();
    let ports = json!([{"name": "health", "containerPort": port}]);
    assert_eq!(container["ports"], ports);
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ] {
        let get = json!({"path": path, "port": "health"});
        assert_eq!(container[probe]["httpGet"], get, "{probe}");
    }
}

#[test]
fn the_image_is_of_this_version() {
    let image = base("DaemonSet", &format!("{CONTAINER}/image"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(image, format!("conntracer:{version}"));
}

/// The words of the container, with what Kubernetes and the map of configuration would put in their places.
fn args(directory: &str, config: &Path) -> Vec<String> {
    let mut objects = objects(&render(directory));
    let args = at(&mut objects, "DaemonSet", &format!("{CONTAINER}/args"));
    let args = args.as_array().unwrap().iter();
    let args = args.map(|arg| arg.as_str().unwrap().replace("$(NODE_NAME)", "node-1"));
    let args: Vec<String> = args
        .map(|arg| arg.replace("/etc/conntracer/config.toml", config.to_str().unwrap()))
        .collect();
    assert!(args.iter().all(|arg| !arg.contains("$(")), "{args:?}");
    args
}

/// The configuration that is deployed.
fn config() -> String {
    let config = base("ConfigMap", "/data/config.toml");
    config.as_str().unwrap().to_owned()
}

/// What the program says to these words where it may trace nothing: it ends once it has read words and configuration.
fn unprivileged(args: &[String]) -> (Option<i32>, String) {
    let output = Command::new("setpriv")
        .arg("--bounding-set=-all")
        .arg(conntracer())
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn the_program_takes_its_arguments_and_its_configuration() {
    let scratch = Scratch::new();
    let config = scratch.write("config.toml", config().as_bytes());
    for directory in directories() {
        let (code, said) = unprivileged(&args(&directory, &config));
        let is_read = said.contains("CAP_BPF and CAP_PERFMON are missing");
        assert!(code == Some(1) && is_read, "{directory}: {code:?} {said}");
    }
}

/// What the test above finds.
#[test]
fn the_program_takes_no_others() {
    let scratch = Scratch::new();
    let right = scratch.write("config.toml", config().as_bytes());
    let mut args_of_another = args("base", &right);
    args_of_another.push("--no-such-flag".to_owned());
    let (code, said) = unprivileged(&args_of_another);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("unexpected argument '--no-such-flag'"),
        "{said}"
    );
    for (section, wrong) in [("[stream]", "selects"), ("[history]", "keeps")] {
        let text = config().replace(section, &format!("{section}\n{wrong} = \"\""));
        let config = scratch.write("wrong.toml", text.as_bytes());
        let (code, said) = unprivileged(&args("base", &config));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("unknown field `{wrong}`")), "{said}");
    }
}

/// The real Podman builds it of nothing but the program, which runs in it.
#[test]
fn the_image_is_built_and_runs() {
    const IMAGE: &str = "localhost/conntracer:test";
    let (run, lib, context) = (Scratch::new(), Scratch::new(), Scratch::new());
    fs::copy(conntracer(), context.file("conntracer")).unwrap();
    let containerfile = manifests().join("../container/Containerfile");
    let said = run.in_place_of("/run", || {
        lib.in_place_of("/var/lib", || {
            let build = [
                "build",
                "--network=none",
                "--pull=never",
                "--tag",
                IMAGE,
                "--file",
            ];
            let words = [
                containerfile.to_str().unwrap(),
                context.path().to_str().unwrap(),
            ];
            podman(&[&build[..], &words].concat());
            let of_run = ["run", "--rm", "--read-only", "--network=none"];
            // Not every machine lets them be raised.
            let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
            podman(&[&of_run[..], &limits, &[IMAGE, "--version"]].concat())
        })
    });
    assert_eq!(
        said.trim(),
        format!("conntracer {}", env!("CARGO_PKG_VERSION"))
    );
}

/// What it prints.
fn podman(words: &[&str]) -> String {
    // The machine may have no systemd, and no file system that overlays can be made of.
    let common = [
        "--runtime=runc",
        "--cgroup-manager=cgroupfs",
        "--storage-driver=vfs",
    ];
    let output = Command::new("podman").args(common).args(words).output();
    succeeds(output.unwrap())
}

fn succeeds(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}
