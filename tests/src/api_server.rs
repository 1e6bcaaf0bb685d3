//! An API server of Kubernetes, as far as it lists and watches the pods of a node.

use std::{
    io::{BufRead as _, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::scratch::Scratch;

/// The node whose pods there are.
pub const NODE: &str = "worker-1.example.com";
/// What a client must ask for, as it is written in a URL.
const SELECTOR: &str = "fieldSelector=spec.nodeName%3Dworker-1.example.com";

/// A server with a list of pods that changes as a test says.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pods: Vec<Value>,
    version: u64,
    /// What those who watch are told, each with the version that it makes.
    told: Vec<(u64, Value)>,
    /// How often all who watch were cut off.
    hang_ups: u64,
    /// With what status and message everything is refused.
    refusal: Option<(u16, String)>,
    seen: Vec<Request>,
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Who it says it is.
    pub authorization: String,
}

impl Request {
    /// Whether it is one for what changes.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.query("watch").is_some()
    }

    /// A part of its query.
    #[must_use]
    pub fn query(&self, key: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut parts = query.split('&').filter_map(|part| part.split_once('='));
        parts
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    fn read(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> anyhow::Result<Self> {
        let first = lines.next().context("hung up")??;
        let target = first.strip_prefix("GET ").context("not GET")?;
        let target = target.strip_suffix(" HTTP/1.1").context("of HTTP/1.1")?;
        let mut authorization = String::new();
        for line in lines {
            let line = line?;
            match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    value.clone_into(&mut authorization);
                }
                None if line.is_empty() => break,
                _ => {}
            }
        }
        Ok(Self {
            target: target.to_owned(),
            authorization,
        })
    }
}

impl ApiServer {
    /// One that has no pods yet.
    ///
    /// # Panics
    /// If there can be none.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("{error}"));
        let shared: Arc<Shared> = Arc::default();
        shared.lock().version = 1000;
        let server = Self {
            address,
            shared: Arc::clone(&shared),
        };
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                // Who hangs up, has seen what it came for.
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        server
    }

    /// A file for `KUBECONFIG` that names it, and whose user has a token in a file.
    #[must_use]
    pub fn kubeconfig(&self, scratch: &Scratch, token: &str) -> PathBuf {
        let token = scratch.write("token", token.as_bytes());
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "test", "user": {"tokenFile": token}}],
        });
        scratch.write("kubeconfig", config.to_string().as_bytes())
    }

    /// A pod is made, or changes.
    pub fn put(&self, pod: &Value) {
        self.shared.change(|state| state.put(pod, true));
    }

    /// A pod is made, and nobody is told.
    pub fn put_silently(&self, pod: &Value) {
        self.shared.change(|state| state.put(pod, false));
    }

    /// A pod is deleted.
    pub fn delete(&self, pod: &Value) {
        self.shared.change(|state| {
            let uid = &pod["metadata"]["uid"];
            state.pods.retain(|known| &known["metadata"]["uid"] != uid);
            let pod = state.anew(pod);
            state.tell("DELETED", &pod);
        });
    }

    /// Those who watch are told how far they are.
    pub fn bookmark(&self) {
        self.shared.change(|state| {
            let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"creationTimestamp": null},
                "spec": {"containers": null}, "status": {}});
            let pod = state.anew(&pod);
            state.tell("BOOKMARK", &pod);
        });
    }

    /// Those who watch are told that they are too late, and must ask for a list.
    pub fn expire(&self) {
        self.shared.change(|state| {
            state.version += 1;
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410});
            state.tell("ERROR", &status);
        });
    }

    /// Those who watch are cut off, when they were told all.
    pub fn hang_up(&self) {
        self.shared.change(|state| state.hang_ups += 1);
    }

    /// Everything is refused.
    pub fn refuse(&self, status: u16, message: &str) {
        let refusal = (status, message.to_owned());
        self.shared.change(|state| state.refusal = Some(refusal));
    }

    /// Nothing is refused any more.
    pub fn allow(&self) {
        self.shared.change(|state| state.refusal = None);
    }

    /// What was asked, in its order.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        self.shared.lock().seen.clone()
    }

    /// How many lists were asked for.
    #[must_use]
    pub fn lists(&self) -> usize {
        let seen = self.seen();
        seen.iter().filter(|request| !request.is_watch()).count()
    }

    /// The versions from which changes were asked for.
    #[must_use]
    pub fn watches(&self) -> Vec<u64> {
        let seen = self.seen();
        let watches = seen.iter().filter(|request| request.is_watch());
        watches.map(version).collect()
    }

    /// The version of what there is.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.shared.lock().version
    }
}

/// From which a request wants to know.
fn version(request: &Request) -> u64 {
    let version = request.query("resourceVersion").unwrap_or_default();
    version.parse().unwrap_or_default()
}

impl State {
    /// A new version of an object.
    fn anew(&mut self, object: &Value) -> Value {
        self.version += 1;
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object
    }

    fn tell(&mut self, kind: &str, object: &Value) {
        let line = json!({"type": kind, "object": object});
        self.told.push((self.version, line));
    }

    fn put(&mut self, pod: &Value, is_told: bool) {
        let pod = self.anew(pod);
        let uid = &pod["metadata"]["uid"];
        let before = self.pods.len();
        self.pods.retain(|known| &known["metadata"]["uid"] != uid);
        let kind = if self.pods.len() < before {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.pods.push(pod.clone());
        if is_told {
            self.tell(kind, &pod);
        }
    }

    fn list(&self) -> Value {
        json!({
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": self.pods,
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.lock());
        self.changed.notify_all();
    }

    fn serve(&self, stream: &TcpStream) -> anyhow::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        loop {
            let request = Request::read(&mut lines)?;
            // Who sees that this was asked, may cut it off before it is answered.
            let (refusal, hang_ups) = {
                let mut state = self.lock();
                state.seen.push(request.clone());
                (state.refusal.clone(), state.hang_ups)
            };
            let is_known =
                request.target.starts_with("/api/v1/pods?") && request.target.contains(SELECTOR);
            let refusal = refusal.or_else(|| (!is_known).then(|| (400, request.target.clone())));
            match refusal {
                Some((status, message)) => refuse(stream, status, &message)?,
                None if request.is_watch() => {
                    self.watch(stream, version(&request), hang_ups)?;
                }
                None => {
                    let list = self.lock().list();
                    whole(stream, 200, &list)?;
                }
            }
        }
    }

    /// Tells all that comes after a version, until all who watch are cut off once more than they were.
    fn watch(&self, mut stream: &TcpStream, mut version: u64, hang_ups: u64) -> anyhow::Result<()> {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )?;
        let mut state = self.lock();
        loop {
            let told = state.told.iter().find(|(of, _)| *of > version).cloned();
            match told {
                Some((of, line)) => {
                    version = of;
                    let line = format!("{line}\n");
                    write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
                }
                None if state.hang_ups > hang_ups => bail!("cut off"),
                None => {
                    let changed = self.changed.wait(state);
                    state = changed.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

fn refuse(stream: &TcpStream, status: u16, message: &str) -> anyhow::Result<()> {
    let reason = if status == 403 { "Forbidden" } else { "Other" };
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": message, "reason": reason, "code": status});
    whole(stream, status, &body)
}

fn whole(mut stream: &TcpStream, status: u16, body: &Value) -> anyhow::Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} As It Is\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}
