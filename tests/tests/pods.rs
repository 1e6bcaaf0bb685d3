//! The agent beside an API server: pods have their names where the node's files say too little.
//!
//! The containers are real, at the cgroup paths of Kubernetes; the API server lists what the test says.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    cell::Cell,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::symlink,
    process::Command,
    sync::mpsc,
};

use serde_json::{Value, json};
use tracer_tests::{
    agent::{Agent, command, history, talk},
    api_server::{ApiServer, NODE},
    conntracer,
    container::Container,
    netns::Netns,
    peer::Peer,
    record::Record,
    scratch::Scratch,
    wait_until,
    whole::assert_whole,
};

const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
/// Bytes that a container waits for: more than a test sends while it waits.
const ENOUGH: usize = 100_000;
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.of-a-test";

/// 64 digits that no other test uses.
fn id(of: u8) -> String {
    format!("{:032x}{of:032x}", std::process::id())
}

fn cgroup(id: &str) -> String {
    format!("/kubepods/burstable/pod{UID}/cri-containerd-{id}")
}

/// The pod `web-0` of the namespace `shop`, with its container `web`.
fn pod(id: &str) -> Value {
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web-0", "namespace": "shop", "uid": UID},
        "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "nginx:1.27"}]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "web", "ready": true, "restartCount": 0, "image": "docker.io/library/nginx:1.27",
            "imageID": "", "containerID": format!("containerd://{id}"),
        }]},
    })
}

/// Another one, of which no container runs here.
fn other_pod(number: u8) -> Value {
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": format!("other-{number}"), "namespace": "shop",
            "uid": format!("{number:08x}-8b4d-4e5f-9a0b-1c2d3e4f5a6b")},
        "spec": {"nodeName": NODE, "containers": []},
        "status": {"phase": "Pending"},
    })
}

/// An agent that asks a server, a namespace that it traces, and what it is to be ended with.
struct Scene {
    scratch: Scratch,
    netns: Netns,
    server: ApiServer,
}

impl Scene {
    fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            netns: Netns::new(),
            server: ApiServer::start(),
        }
    }

    /// The command of an agent with these flags.
    fn command(&self, flags: &[&str]) -> Command {
        let mut command = command(&self.scratch, &self.netns);
        let kubeconfig = self.server.kubeconfig(&self.scratch, TOKEN);
        command.args(flags).env("KUBECONFIG", kubeconfig);
        command
    }

    fn agent(&self, flags: &[&str]) -> Agent {
        let flags = [&["--pods-of-node", NODE], flags].concat();
        Agent::run(&self.scratch, &self.netns, &mut self.command(&flags))
    }

    /// The same, when it has the list and hears of changes.
    fn agent_with_list(&self, flags: &[&str]) -> Agent {
        let agent = self.agent(flags);
        self.wait_for_watches(1);
        agent
    }

    fn wait_for_watches(&self, count: usize) {
        wait_until("it asks what changes", || {
            self.server.watches().len() >= count
        });
    }

    /// Waits until the agent has heard all that its watch tells: the next one goes on behind it.
    fn wait_until_heard(&self) {
        self.server.bookmark();
        self.server.hang_up();
        let version = self.server.version();
        wait_until("all was heard", || self.server.watches().contains(&version));
    }

    /// Has a container talk to somebody outside of it.
    fn run(&self, id: &str) {
        let container = |words: &[&str]| Container::new(&self.netns, &cgroup(id), words);
        self.talk_with(container, Container::run);
    }

    fn talk_with(&self, make: impl Fn(&[&str]) -> Container, run: impl Fn(&Container)) {
        let mut server = Peer::start(&self.netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
        let target = format!("127.0.0.1:{}", server.port());
        run(&make(&["connect", &target, "10", "10"]));
        server.finish();
    }

    /// What the history has of connections that containers made.
    fn kept(&self, flags: &[&str]) -> Vec<Record> {
        let output = Command::new(conntracer())
            .args(["trace", "--since", "1h", "-o", "json", "--history"])
            .arg(history(&self.scratch))
            .args(flags)
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let records = lines
            .lines()
            .map(|line| Record(serde_json::from_str(line).unwrap()));
        records
            .filter(|record| record.text("process.exe") == "/peer")
            .collect()
    }

    /// Waits until connections of this pod are kept, with their ends: what is told of them.
    fn wait_for_pod(&self, flags: &[&str]) -> Vec<Record> {
        wait_until("the pod has its names", || {
            let is_end = |record: &Record| record.event() == "close";
            self.kept(flags).iter().any(is_end)
        });
        self.kept(flags)
    }
}

#[test]
fn the_list_names_what_no_file_does() {
    let (scene, id) = (Scene::new(), id(1));
    scene.server.put(&pod(&id));
    let agent = scene.agent_with_list(&[]);
    scene.run(&id);
    let of_pod = [
        "--namespace",
        "shop",
        "--pod",
        "web-*",
        "--container",
        "web",
    ];
    let expected = json!({
        "id": id, "runtime": "containerd", "name": "web", "image": "docker.io/library/nginx:1.27",
    });
    let in_pod = json!({"uid": UID, "name": "web-0", "namespace": "shop", "container": "web"});
    for record in scene.wait_for_pod(&of_pod) {
        assert_eq!(record.at("container"), &expected);
        assert_eq!(record.at("pod"), &in_pod);
    }
    assert_eq!(scene.kept(&["--namespace", "bank"]), []);
    for request in scene.server.seen() {
        assert_eq!(request.authorization, format!("Bearer {TOKEN}"));
    }
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(
        stderr.contains("tells 1 pods of worker-1.example.com"),
        "{stderr}"
    );
    assert!(
        stderr.contains("pods of this node: 1; 1 lists, 0 watches broke, 0 requests failed"),
        "{stderr}"
    );
}

#[test]
fn the_agent_selects_by_names_of_the_list() {
    let (scene, id) = (Scene::new(), id(2));
    scene.server.put(&pod(&id));
    let agent = scene.agent_with_list(&["--pod", "web-0"]);
    talk(&scene.netns, "10", "10");
    scene.run(&id);
    scene.wait_for_pod(&[]);
    assert_eq!(agent.number("SELECT count(*) FROM connections"), 1);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
}

#[test]
fn without_the_flag_nobody_is_asked() {
    let (scene, id) = (Scene::new(), id(3));
    scene.server.put(&pod(&id));
    let agent = Agent::run(&scene.scratch, &scene.netns, &mut scene.command(&[]));
    scene.run(&id);
    for record in scene.wait_for_pod(&[]) {
        assert_eq!(record.at("pod"), &json!({"uid": UID}));
    }
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(scene.server.seen().is_empty());
}

#[test]
fn files_of_the_node_win() {
    let (scene, id) = (Scene::new(), id(4));
    scene.server.put(&pod(&id));
    let annotations = json!({
        "io.kubernetes.cri.container-name": "of-files",
        "io.kubernetes.cri.sandbox-name": "web-of-files",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": UID,
    });
    let run = Scratch::new();
    let task = format!("containerd/io.containerd.runtime.v2.task/k8s.io/{id}");
    let place = run.path().join(task);
    run.in_place_of("/run", || {
        let agent = scene.agent_with_list(&[]);
        let annotated = |words: &[&str]| {
            Container::new(&scene.netns, &cgroup(&id), words).annotated(&annotations)
        };
        scene.talk_with(annotated, |container| {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(container.bundle(), &place).unwrap();
            container.run();
        });
        for record in scene.wait_for_pod(&[]) {
            assert_eq!(record.text("pod.name"), "web-of-files");
            assert_eq!(record.text("container.name"), "of-files");
            assert_eq!(record.text("container.image"), "");
        }
        let (status, stderr) = agent.stop();
        assert_whole(status, &stderr);
    });
}

#[test]
fn a_pod_that_the_server_tells_of_late_is_named_in_what_follows() {
    let (scene, id) = (Scene::new(), id(5));
    let agent = scene.agent_with_list(&[]);
    let (tell, listener) = mpsc::channel();
    scene.netns.within(move || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(tell.send(listener)?)
    });
    let listener = listener.recv().unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let container = Container::new(
        &scene.netns,
        &cgroup(&id),
        &["connect", &target, "10", &ENOUGH.to_string()],
    );
    std::thread::scope(|scope| {
        let running = scope.spawn(|| container.run());
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 10]).unwrap();
        wait_until("it is kept while it is open", || {
            !scene.kept(&[]).is_empty()
        });
        assert_eq!(scene.kept(&["--pod", "web-0"]), []);
        let sent = Cell::new(0);
        // Of a connection is told when more has moved.
        let wait_for = |flags: &[&str]| {
            wait_until("what follows has the name", || {
                (&stream).write_all(&[0]).unwrap();
                sent.set(sent.get() + 1);
                !scene.kept(flags).is_empty()
            });
        };
        // First the pod alone, as long as the kubelet has not told of the container.
        let mut begun = pod(&id);
        begun["status"] = json!({"phase": "Pending"});
        scene.server.put(&begun);
        wait_for(&["--pod", "web-0"]);
        assert_eq!(scene.kept(&["--container", "web"]), []);
        scene.server.put(&pod(&id));
        wait_for(&["--container", "web"]);
        stream.write_all(&vec![0; ENOUGH - sent.get()]).unwrap();
        drop(stream);
        running.join().unwrap();
    });
    scene.wait_for_pod(&["--namespace", "shop"]);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(
        stderr.contains("knows no pods of worker-1.example.com: is that"),
        "{stderr}"
    );
}

#[test]
fn a_pod_that_is_deleted_at_once_is_known_for_a_while() {
    let (scene, id) = (Scene::new(), id(6));
    scene.server.put(&other_pod(1));
    let agent = scene.agent_with_list(&[]);
    scene.server.put(&pod(&id));
    scene.server.delete(&pod(&id));
    scene.wait_until_heard();
    scene.run(&id);
    scene.wait_for_pod(&["--pod", "web-0", "--container", "web"]);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(stderr.contains("pods of this node: 1; 1 lists"), "{stderr}");
    assert!(
        !stderr.contains("does not tell"),
        "that is nothing to say: {stderr}"
    );
}

#[test]
fn who_is_too_late_asks_for_a_list_again() {
    let (scene, id) = (Scene::new(), id(7));
    scene.server.put(&other_pod(1));
    let agent = scene.agent_with_list(&[]);
    scene.server.put_silently(&pod(&id));
    scene.server.expire();
    let version = scene.server.version();
    wait_until("what changes from there on is asked for", || {
        scene.server.watches().contains(&version)
    });
    assert_eq!(scene.server.lists(), 2);
    scene.run(&id);
    scene.wait_for_pod(&["--pod", "web-0"]);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert!(
        stderr.contains("pods of this node: 2; 2 lists, 1 watches broke"),
        "{stderr}"
    );
}

#[test]
fn a_server_that_refuses_is_said_once_and_asked_again() {
    let (scene, id) = (Scene::new(), id(8));
    scene.server.put(&pod(&id));
    let why = "pods is forbidden: User \u{1b}[2J\"system:serviceaccount:a:b\" cannot list";
    scene.server.refuse(403, why);
    let agent = scene.agent(&[]);
    wait_until("it is asked again", || scene.server.lists() >= 3);
    let (port, _) = talk(&scene.netns, "10", "10");
    let kept = format!("SELECT count(*) FROM connections WHERE remote_port = {port}");
    wait_until("all else goes on", || agent.number(&kept) == 1);
    scene.server.allow();
    scene.wait_for_watches(1);
    scene.run(&id);
    scene.wait_for_pod(&["--pod", "web-0"]);
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    let said = "does not tell the pods of worker-1.example.com: 403 Forbidden: pods is forbidden";
    assert_eq!(stderr.matches(said).count(), 1, "{stderr}");
    assert!(
        stderr.contains("the verbs list and watch of pods"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("answers again").count(), 1, "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    assert!(!stderr.contains(TOKEN), "{stderr}");
}

#[test]
fn a_server_that_comes_back_is_said_although_nothing_changed() {
    let scene = Scene::new();
    scene.server.put(&other_pod(1));
    let agent = scene.agent_with_list(&[]);
    scene.server.refuse(500, "etcd has no leader");
    scene.server.hang_up();
    scene.wait_for_watches(2);
    scene.server.allow();
    scene.wait_for_watches(3);
    scene.server.put(&other_pod(2));
    scene.wait_until_heard();
    let (status, stderr) = agent.stop();
    assert_whole(status, &stderr);
    assert_eq!(
        stderr.matches("500 Other: etcd has no leader").count(),
        1,
        "{stderr}"
    );
    assert_eq!(stderr.matches("answers again").count(), 1, "{stderr}");
    assert!(stderr.contains("pods of this node: 2; 1 lists"), "{stderr}");
}

#[test]
fn who_cannot_be_asked_at_all_is_said_before_anything_is_loaded() {
    let scene = Scene::new();
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!history(&scene.scratch).exists());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let flags = ["--pods-of-node", NODE];
    let nowhere = scene.scratch.file("nowhere");
    let (code, said) = refused(scene.command(&flags).env("KUBECONFIG", &nowhere));
    assert_eq!(code, Some(1));
    assert!(
        said.contains("KUBECONFIG: ") && said.contains(&nowhere),
        "{said}"
    );
    let mut without = scene.command(&flags);
    without
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST");
    let (code, said) = refused(&mut without);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("KUBECONFIG is not set, and this is no pod"),
        "{said}"
    );
    let path = scene.server.kubeconfig(&scene.scratch, TOKEN);
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/touch", "args": [nowhere], "interactiveMode": "Never"}});
    let path = scene.scratch.write("exec", config.to_string().as_bytes());
    let (code, said) = refused(scene.command(&flags).env("KUBECONFIG", path));
    assert_eq!(code, Some(1));
    assert!(said.contains("conntracer executes nothing"), "{said}");
    assert!(!fs::exists(&nowhere).unwrap());
    let (code, said) = refused(&mut scene.command(&["--pods-of-node", "a,spec.nodeName!=a"]));
    assert_eq!(code, Some(2));
    assert!(said.contains("is no name of a node"), "{said}");
    assert!(scene.server.seen().is_empty());
}
