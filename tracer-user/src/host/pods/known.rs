//! The pods that are known: those of the node, and for a while those that were.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracer_core::{cgroup::Meaning, fact::Container};

use super::listed::Listed;

/// How many pods of a node are remembered; a node has some hundred at most.
const PODS_MAX: usize = 4096;
/// How many that are gone.
const GONE_MAX: usize = 1024;
/// For how long: what a pod did in its last moments is told later.
const GONE_FOR: Duration = Duration::from_mins(10);

/// What is known of the list.
#[derive(Debug, Default)]
pub struct Known {
    /// By UID.
    pods: HashMap<String, Entry>,
    /// Lists that have begun.
    round: u64,
    /// Pods of the last list that there was no room for.
    left_out: usize,
}

#[derive(Debug)]
struct Entry {
    pod: Listed,
    /// The list that had it last.
    round: u64,
    /// Since when it is gone.
    gone: Option<Instant>,
}

impl Entry {
    fn is_known(&self, now: Instant) -> bool {
        self.gone
            .is_none_or(|since| now.saturating_duration_since(since) < GONE_FOR)
    }
}

impl Known {
    /// A list begins.
    pub fn begin(&mut self) {
        self.round += 1;
        self.left_out = 0;
    }

    /// Takes a pod of the list, or one that has changed.
    pub fn add(&mut self, pod: Listed) {
        let before = self.pods.remove(&pod.uid);
        if before.is_none() && self.is_full() {
            self.left_out += 1;
            return;
        }
        self.insert(pod, before, None);
    }

    /// A pod is gone; what was last said of it.
    pub fn remove(&mut self, pod: Listed, now: Instant) {
        let before = self.pods.remove(&pod.uid);
        self.insert(pod, before, Some(now));
        self.forget(now);
    }

    fn insert(&mut self, mut pod: Listed, before: Option<Entry>, gone: Option<Instant>) {
        if let Some(before) = before {
            pod.remember(before.pod);
        }
        let round = self.round;
        self.pods
            .insert(pod.uid.clone(), Entry { pod, round, gone });
    }

    /// The list has come whole: what it did not have is gone.
    pub fn finish(&mut self, now: Instant) {
        for entry in self.pods.values_mut() {
            if entry.round != self.round {
                entry.gone.get_or_insert(now);
            }
        }
        self.forget(now);
    }

    /// Forgets what is gone for long, and the longest gone of too many.
    fn forget(&mut self, now: Instant) {
        self.pods.retain(|_, entry| entry.is_known(now));
        let gone = self.pods.iter();
        let mut gone: Vec<(Instant, String)> = gone
            .filter_map(|(uid, entry)| Some((entry.gone?, uid.clone())))
            .collect();
        gone.sort_unstable();
        let too_many = gone.len().saturating_sub(GONE_MAX);
        for (_, uid) in gone.into_iter().take(too_many) {
            self.pods.remove(&uid);
        }
    }

    fn is_full(&self) -> bool {
        self.pods.len() >= PODS_MAX && self.present() >= PODS_MAX
    }

    /// How many pods the node has.
    pub fn present(&self) -> usize {
        let entries = self.pods.values();
        entries.filter(|entry| entry.gone.is_none()).count()
    }

    /// How many of the last list there was no room for.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// What is known of the container of a cgroup: by its id, else of its pod by the UID. A pod that is
    /// another one than the path says is not believed.
    pub fn find(&self, meaning: &Meaning, now: Instant) -> Option<Container> {
        let id = &meaning.container.as_ref()?.id;
        let uid = meaning.pod.as_deref();
        let is_of_path = |pod: &&Listed| uid.is_none_or(|uid| pod.is_called(uid));
        let mut pods = self.pods(now).filter(is_of_path);
        let by_id = pods.find_map(|pod| pod.container(id));
        by_id.or_else(|| Some(self.pod(uid?, now)?.other_container(id)))
    }

    /// The pod that cgroups call so. A manifest's hash is an annotation, which anybody may write, so where
    /// several claim it, it says nothing.
    fn pod(&self, uid: &str, now: Instant) -> Option<&Listed> {
        if let Some(entry) = self.pods.get(uid) {
            return entry.is_known(now).then_some(&entry.pod);
        }
        let mut claims = self.pods(now).filter(|pod| pod.is_called(uid));
        let pod = claims.next()?;
        claims.all(|other| other.is_namesake(pod)).then_some(pod)
    }

    fn pods(&self, now: Instant) -> impl Iterator<Item = &Listed> {
        let entries = self.pods.values();
        entries
            .filter(move |entry| entry.is_known(now))
            .map(|entry| &entry.pod)
    }
}
