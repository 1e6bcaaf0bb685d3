//! One connection in several runs of one boot: each run that finds it open names it anew.

use std::{borrow::Cow, collections::HashMap};

use super::{Agent, observation::End, sighting::Sighting};
use crate::protocol::Protocol;

/// A socket's connection, and who saw it.
type Socket<'a> = (&'a Agent, Cow<'a, Sighting>);

/// What tells TCP connections of a host apart that are open at one time.
type Ends<'a> = (&'a Agent, u32, End, End);

/// Each socket once: what was found open in a run is what an earlier run left open. Of UDP that cannot be
/// told, for its counters begin anew with each run.
pub fn once<'a>(all: impl Iterator<Item = (&'a Agent, &'a Sighting)>) -> Vec<Socket<'a>> {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, one)| one.first());
    let mut sockets: Vec<Socket<'a>> = Vec::new();
    let mut newest: HashMap<Ends<'a>, usize> = HashMap::new();
    for (agent, one) in all {
        if let Some(ends) = ends_of(agent, one) {
            let before = newest.get(&ends).and_then(|at| sockets.get_mut(*at));
            if let Some((_, before)) = before
                && one.open_before
                && !before.ended_before(one)
            {
                before.to_mut().go_on_as(one);
                continue;
            }
            newest.insert(ends, sockets.len());
        }
        sockets.push((agent, Cow::Borrowed(one)));
    }
    sockets
}

fn ends_of<'a>(agent: &'a Agent, one: &Sighting) -> Option<Ends<'a>> {
    let is_tcp = one.protocol() == Protocol::Tcp;
    let (local, remote) = (one.local()?, one.remote()?);
    is_tcp.then_some((agent, one.netns(), local, remote))
}
