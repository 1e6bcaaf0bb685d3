//! The thread that follows the list.

use std::{
    error::Error as _,
    iter,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    core::ApiResource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tracer_core::text::printable;
use tracing::{debug, info, warn};

use super::{
    Pods,
    listed::{Listed, Written},
    server::Server,
};
use crate::run::NOTES;

/// How much of what a server says is said.
const SAID_MAX: usize = 300;

/// Follows the list of a node's pods, in a thread that lives as long as this process.
///
/// # Errors
/// If the server cannot be asked at all, or there can be no thread.
pub fn follow(server: Server, node: &str) -> anyhow::Result<Pods> {
    let pods = Pods::default();
    let voice = Voice {
        server: server.url(),
        node: node.to_owned(),
        said: Arc::default(),
    };
    let watch = Watch {
        pods: pods.clone(),
        voice: voice.clone(),
    };
    let (client, runtime) = server.client({
        let pods = pods.clone();
        move || {
            if pods.is_answered() {
                voice.works();
            }
        }
    })?;
    // From the cache of the server: asking its database for each node is what brings servers down.
    let wanted = watcher::Config::default()
        .fields(&format!("spec.nodeName={node}"))
        .any_semantic();
    let api = Api::all_with(client, &ApiResource::erase::<Pod>(&()));
    std::thread::Builder::new()
        .name("pods".to_owned())
        .spawn(move || runtime.block_on(watch.run(api, wanted)))
        .context("cannot start a thread")?;
    Ok(pods)
}

struct Watch {
    pods: Pods,
    voice: Voice,
}

impl Watch {
    async fn run(self, api: Api<Written>, wanted: watcher::Config) {
        let mut events = pin!(watcher(api, wanted).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(&event),
                Err(error) => self.fail(&error),
            }
        }
    }

    fn take(&self, event: &Event<Written>) {
        match event {
            Event::Init => self.pods.begin(),
            Event::InitApply(pod) => self.pods.list(Listed::of(pod)),
            Event::InitDone => {
                self.pods.finish();
                self.voice.listed(&self.pods);
            }
            Event::Apply(pod) => self.pods.change(Listed::of(pod)),
            Event::Delete(pod) => self.pods.remove(Listed::of(pod)),
        }
    }

    fn fail(&self, error: &watcher::Error) {
        match error {
            watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
                self.pods.failed();
                self.voice.fails(Kind::of(error), &why(error));
            }
            watcher::Error::NoResourceVersion => {
                self.pods.failed();
                self.voice.fails(Kind::Other, "what it says is no list");
            }
            // Servers do so when they are started anew, or have kept too few changes: the list is
            // followed from where it was, or asked for once more.
            watcher::Error::WatchError(_) | watcher::Error::WatchFailed(_) => {
                self.pods.broke();
                debug!("a watch of pods broke: {}", printable(&error.to_string()));
            }
        }
    }
}

/// How the server fails. What it says of the same may differ each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Status(u16),
    Other,
}

impl Kind {
    fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status(status.code),
            _ => Self::Other,
        }
    }
}

/// What the server says, else the cause of causes.
fn why(error: &kube::Error) -> String {
    let text = if let kube::Error::Api(status) = error {
        format!("{} {}: {}", status.code, status.reason, status.message)
    } else {
        let causes = iter::successors(error.source(), |error| (*error).source());
        causes
            .last()
            .map_or_else(|| error.to_string(), ToString::to_string)
    };
    printable(&text.chars().take(SAID_MAX).collect::<String>())
}

/// Says once what is wrong, and when it no longer is.
#[derive(Clone)]
struct Voice {
    server: String,
    node: String,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    /// How the server fails, as was said.
    failure: Option<Kind>,
    has_listed: bool,
    has_left_out: bool,
}

impl Voice {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self, kind: Kind, why: &str) {
        if self.said().failure.replace(kind) == Some(kind) {
            return;
        }
        let remedy = match kind {
            Kind::Status(401) => "; it does not know the token of this service account",
            Kind::Status(403) => {
                "; this service account needs the verbs list and watch of pods, by a ClusterRole"
            }
            Kind::Status(_) | Kind::Other => "",
        };
        warn!(
            "the API server {} does not tell the pods of {}: {why}{remedy}. It is asked again; until it answers, \
             containers have the names of the node's files",
            self.server, self.node
        );
    }

    fn works(&self) {
        if self.said().failure.take().is_some() {
            info!(target: NOTES, "the API server {} answers again", self.server);
        }
    }

    fn listed(&self, pods: &Pods) {
        self.works();
        let (server, node) = (&self.server, &self.node);
        let counts = pods.counts();
        let mut said = self.said();
        if !std::mem::replace(&mut said.has_listed, true) {
            match counts.pods {
                0 => warn!(
                    "the API server {server} knows no pods of {node}: is that what it calls this node?"
                ),
                pods => info!(target: NOTES, "the API server {server} tells {pods} pods of {node}"),
            }
        }
        if counts.left_out > 0 && !std::mem::replace(&mut said.has_left_out, true) {
            warn!(
                "{} pods of {node} have no names: there are too many",
                counts.left_out
            );
        }
    }
}
