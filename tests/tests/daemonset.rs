//! The container of the `DaemonSet`, run by the real runc with what the manifest gives it: no more privileges, a cgroup
//! namespace of its own, a root that cannot be written.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    cell::RefCell,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tracer_tests::{
    agent::number,
    cgroup::Cgroup,
    conntracer,
    container::Container,
    http::ask,
    kubernetes::{objects, render},
    netns::Netns,
    peer::Peer,
    record::Record,
    schema::violations,
    scratch::Scratch,
    wait_until,
    whole::assert_whole,
};

const NODE: &str = "worker-1";
const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
const HEALTH: &str = "127.0.0.1:9642";

/// The container of the manifest, and its pod.
fn manifest() -> Value {
    let objects = objects(&render("overlays/no-api"));
    let mut of_kind = objects
        .into_iter()
        .filter(|object| object["kind"] == "DaemonSet");
    of_kind.next().unwrap()["spec"]["template"]["spec"].clone()
}

/// The configuration of the manifest.
fn config() -> String {
    let objects = objects(&render("base"));
    let mut maps = objects
        .iter()
        .filter(|object| object["kind"] == "ConfigMap");
    let text = &maps.next().unwrap()["data"]["config.toml"];
    text.as_str().unwrap().to_owned()
}

/// The path of the cgroup of a container in a pod.
fn cgroup_of(number: u8) -> String {
    let id = format!("{:032x}{number:032x}", std::process::id());
    format!("/kubepods/burstable/pod{UID}/{id}")
}

/// The agent as the kubelet would run it.
struct Agent {
    container: Container,
    runc: RefCell<Child>,
    scratch: Scratch,
    netns: Netns,
}

impl Agent {
    /// Starts one that keeps what happens in a network namespace.
    fn start(traced: &Netns) -> Self {
        let (scratch, netns) = (Scratch::new(), Netns::new());
        let pod = manifest();
        let of_manifest = &pod["containers"][0];
        let args = of_manifest["args"].as_array().unwrap().iter();
        let args = args.map(|arg| arg.as_str().unwrap().replace("$(NODE_NAME)", NODE));
        // What the test adds: nothing else on this machine is its business.
        let own = [format!("--netns={}", traced.inode())];
        let args: Vec<String> = args.chain(own).collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let container = Container::of(&netns, &cgroup_of(0), &conntracer(), &words)
            .configured(|config| configure(config, &pod, &scratch));
        let out = File::create(scratch.file("out")).unwrap();
        let err = File::create(scratch.file("err")).unwrap();
        let runc = container
            .command()
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        Self {
            container,
            runc: RefCell::new(runc),
            scratch,
            netns,
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.scratch.file("err")).unwrap()
    }

    /// The status of a path, once it answers.
    fn status(&self, path: &'static str) -> u16 {
        assert!(
            self.runc.borrow_mut().try_wait().unwrap().is_none(),
            "it has ended: {}",
            self.said()
        );
        let (send, answers) = std::sync::mpsc::channel();
        self.netns.within(move || {
            if std::net::TcpStream::connect(HEALTH).is_ok() {
                send.send(ask(HEALTH, "GET", path).status)?;
            }
            Ok(())
        });
        answers.recv().unwrap_or_default()
    }

    /// What was streamed by now, in whole lines.
    fn streamed(&self) -> Vec<Record> {
        let text = fs::read_to_string(self.scratch.file("out")).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(serde_json::from_str);
        lines.map(|line| Record(line.unwrap())).collect()
    }

    fn history(&self) -> PathBuf {
        self.scratch.path().join("history/history.db")
    }

    /// What the history has of an event.
    fn kept(&self, event: &str) -> Vec<Record> {
        let output = Command::new(conntracer())
            .args(["trace", "-o", "json", "--quiet", "--event", event])
            .arg("--history")
            .arg(self.history())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let lines = told.lines().map(|line| serde_json::from_str(line).unwrap());
        let records = lines.map(Record).filter(|one| !one.id().is_empty());
        records.collect()
    }

    fn stop(self) -> (Vec<Record>, String) {
        self.container.terminate();
        let status = self.runc.borrow_mut().wait().unwrap();
        assert_whole(status, &self.said());
        (self.streamed(), self.said())
    }
}

/// What the kubelet and its runtime would make of the manifest.
fn configure(config: &mut Value, pod: &Value, scratch: &Scratch) {
    let of_manifest = &pod["containers"][0];
    let security = &of_manifest["securityContext"];
    let added = security["capabilities"]["add"].as_array().unwrap().iter();
    let added: Vec<String> = added
        .map(|name| format!("CAP_{}", name.as_str().unwrap()))
        .collect();
    config["process"]["capabilities"] =
        json!({"bounding": added, "effective": added, "permitted": added});
    config["process"]["noNewPrivileges"] = json!(security["allowPrivilegeEscalation"] == false);
    config["process"]["user"] = json!({"uid": security["runAsUser"], "gid": 0});
    config["root"]["readonly"] = security["readOnlyRootFilesystem"].clone();
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid" && namespace["type"] != "cgroup");
    // What every runtime gives a container that is not privileged.
    namespaces.push(json!({"type": "cgroup"}));
    assert_eq!(pod["hostPID"], true);
    let mounts = config["mounts"].as_array_mut().unwrap();
    for mount in of_manifest["volumeMounts"].as_array().unwrap() {
        mounts.push(volume(mount, pod, scratch));
    }
}

/// A mount of the manifest, of what the test has in its place.
fn volume(mount: &Value, pod: &Value, scratch: &Scratch) -> Value {
    let volumes = pod["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|one| one["name"] == mount["name"]);
    let volume = volume.unwrap();
    let own = scratch.path().join(mount["name"].as_str().unwrap());
    fs::create_dir_all(&own).unwrap();
    let source = match volume["hostPath"]["path"].as_str() {
        None if volume["configMap"].is_object() => {
            fs::write(own.join("config.toml"), config()).unwrap();
            own
        }
        None => {
            assert!(volume["emptyDir"].is_object(), "{volume}");
            own
        }
        Some("/var/lib/conntracer") => own,
        Some(path) => path.into(),
    };
    let access = if mount["readOnly"] == true {
        "ro"
    } else {
        "rw"
    };
    json!({
        "destination": mount["mountPath"],
        "type": "bind",
        "source": source,
        // As the kubelet has it.
        "options": ["rbind", access],
    })
}

/// A pod's network: an address, and the rest of the world where nothing answers.
fn reach_out(netns: &Netns) {
    netns.within(|| {
        for words in [
            "addr add 10.9.8.7/24 dev lo",
            "route add default dev lo src 10.9.8.7",
        ] {
            let status = Command::new("ip").args(words.split(' ')).status()?;
            anyhow::ensure!(status.success(), "ip {words}");
        }
        Ok(())
    });
}

#[test]
fn it_works_with_the_privileges_that_it_is_given() {
    let traced = Netns::new();
    reach_out(&traced);
    // A process of another pod, which listens before the agent comes.
    let before = Cgroup::new(&cgroup_of(1));
    let words = [
        "--cgroup",
        &before.directory(),
        "never-accept",
        "127.0.0.1:0",
    ];
    let mut listener = Peer::start(&traced, &words);
    let port = listener.port();
    let agent = Agent::start(&traced);
    // To ask makes threads, of which the kernel tells the agent: not while it has yet to begin.
    wait_until("it has begun", || !agent.streamed().is_empty());
    wait_until("it is ready", || agent.status("/readyz") == 200);
    assert_eq!(agent.status("/healthz"), 200);
    assert_eq!(agent.status("/metrics"), 200);

    let cgroup = cgroup_of(2);
    let words = ["give-up", "203.0.114.7:443", "20"];
    Container::new(&traced, &cgroup, &words).run();
    // What is not external is kept, and not streamed.
    let words = ["refused", "127.0.0.1:9"];
    Container::new(&traced, &cgroup_of(3), &words).run();
    let failed =
        "SELECT count(*) FROM connections WHERE outcome IS NOT NULL AND direction = 'outbound'";
    wait_until("all of it is kept", || {
        number(&agent.history(), failed) == 2
    });

    let existing = agent.kept("existing");
    let [existing] = existing.as_slice() else {
        panic!("{existing:?}");
    };
    assert_eq!(existing.number("local.port"), Some(port.into()));
    assert_eq!(existing.number("process.pid"), Some(listener.pid()));
    assert_eq!(existing.text("cgroup.path"), cgroup_of(1));
    assert_eq!(existing.text("pod.uid"), UID);
    listener.kill();

    let (streamed, said) = agent.stop();
    let events: Vec<&str> = streamed.iter().map(Record::event).collect();
    assert_eq!(events, ["start", "connect", "failed", "stop"], "{said}");
    for record in &streamed {
        assert_eq!(violations(record), [""; 0], "{record:?}");
        assert_eq!(record.text("host"), NODE);
    }
    let connect = &streamed[1];
    assert_eq!(connect.text("remote.ip"), "203.0.114.7");
    assert_eq!(connect.text("remote.scope"), "external");
    assert_eq!(connect.text("local.ip"), "10.9.8.7");
    assert_eq!(connect.text("process.exe"), "/peer");
    assert_eq!(connect.text("cgroup.path"), cgroup);
    let id = cgroup.rsplit('/').next().unwrap();
    assert_eq!(connect.text("container.id"), id);
    assert_eq!(connect.text("pod.uid"), UID);
    let start = &streamed[0];
    let degraded = start.at("degraded").to_string();
    assert!(!degraded.contains("cgroup namespace"), "{degraded}");
    assert!(!degraded.contains("pid namespace"), "{degraded}");
}
