//! The pods of a node, as the API server of Kubernetes lists them: they name containers of which the
//! node's files say too little.
//!
//! Nobody is asked unless the user names the node. [`server`] is where and as whom, [`watch`] the thread
//! that follows the list, [`listed`] what is read of a pod, [`known`] what is known by now.
//! `docs/containers.md` has the rules.

mod known;
mod listed;
mod server;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use tracer_core::{cgroup::Meaning, fact::Container};

use self::{known::Known, listed::Listed};
pub use self::{server::Server, watch::follow};

/// The pods of a node, shared by the thread that follows their list and those who ask.
#[derive(Clone, Debug, Default)]
pub struct Pods(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: Known,
    counts: Counts,
    /// A list is on its way.
    is_listing: bool,
}

/// How it has gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pods that the node has now, as far as is known.
    pub pods: usize,
    /// Pods of the last list that there was no room for.
    pub left_out: usize,
    /// Lists that came whole: the first, and one each time that changes were missed.
    pub lists: u64,
    /// Watches that broke, and were begun anew. That the server ends one after its time does not count.
    pub restarts: u64,
    /// Requests that were refused or came to nothing.
    pub errors: u64,
    /// When the server last told something, or began to tell what changes.
    pub last_success: Option<SystemTime>,
}

impl Pods {
    /// What the list says of the container of a cgroup.
    pub fn container(&self, meaning: &Meaning) -> Option<Container> {
        self.lock().known.find(meaning, Instant::now())
    }

    /// Whether a list has come whole.
    pub fn has_synced(&self) -> bool {
        self.lock().counts.lists > 0
    }

    /// How it has gone so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list begins.
    fn begin(&self) {
        let mut state = self.lock();
        state.is_listing = true;
        state.known.begin();
    }

    /// It has this pod.
    fn list(&self, pod: Option<Listed>) {
        if let Some(pod) = pod {
            self.lock().known.add(pod);
        }
    }

    /// It has come whole.
    fn finish(&self) {
        let mut state = self.lock();
        state.is_listing = false;
        state.counts.lists += 1;
        state.known.finish(Instant::now());
        state.heard();
    }

    /// A pod is new, or another than it was.
    fn change(&self, pod: Option<Listed>) {
        self.list(pod);
        self.lock().heard();
    }

    /// A pod is gone.
    fn remove(&self, pod: Option<Listed>) {
        let mut state = self.lock();
        if let Some(pod) = pod {
            state.known.remove(pod, Instant::now());
        }
        state.heard();
    }

    /// The server takes a request. Whether a list can be read is known when it has come whole only.
    fn is_answered(&self) -> bool {
        let mut state = self.lock();
        if !state.is_listing {
            state.heard();
        }
        !state.is_listing
    }

    /// A request failed.
    fn failed(&self) {
        self.lock().counts.errors += 1;
    }

    /// A watch broke.
    fn broke(&self) {
        self.lock().counts.restarts += 1;
    }
}

impl State {
    fn heard(&mut self) {
        self.counts.pods = self.known.present();
        self.counts.left_out = self.known.left_out();
        self.counts.last_success = Some(SystemTime::now());
    }
}
