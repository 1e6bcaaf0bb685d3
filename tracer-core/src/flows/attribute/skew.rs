//! How far the clocks of a host and of the devices are apart.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use super::{ends::Ends, known::Known};
use crate::flows::Flow;

/// So many pairs are needed to tell it.
const PAIRS_MIN: usize = 3;
/// So many are looked at, at most.
const PAIRS_MAX: usize = 100_000;
/// How far half of them may be from the middle; what is further apart is no difference of clocks.
const SPREAD_MAX: SignedDuration = SignedDuration::from_secs(60);
/// Zones of time are apart by a multiple of this.
const ZONES: i128 = 15 * 60 * 1_000_000_000;
/// How far from a multiple it may be.
const NEAR_ZONE: i128 = 2 * 60 * 1_000_000_000;

/// How far the clocks of devices are ahead of that of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Skew {
    /// By how much, in the middle.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub offset: SignedDuration,
    /// How far half of the pairs are from that, at most.
    #[serde(rename = "spread_seconds", serialize_with = "seconds")]
    pub spread: SignedDuration,
    /// Of how many pairs of a flow and a connection.
    pub pairs: usize,
}

impl Skew {
    /// It is as much as zones of time are apart: the times of the log may be of another zone than was taken for it.
    #[must_use]
    pub fn is_of_zones(&self) -> bool {
        let offset = self.offset.as_nanos();
        let nearest = (offset + offset.signum() * ZONES / 2) / ZONES * ZONES;
        nearest != 0 && (offset - nearest).abs() < NEAR_ZONE
    }
}

/// From the flows and connections whose ends only one of either has.
pub(super) fn estimate(known: &Known, flows: &[Flow]) -> Option<Skew> {
    let mut differences: HashMap<usize, Option<SignedDuration>> = HashMap::new();
    for flow in flows {
        if differences.len() >= PAIRS_MAX {
            break;
        }
        let Some(ends) = Ends::of(flow) else {
            continue;
        };
        let found = known.with_ends(&ends);
        let [at] = found.as_slice() else {
            continue;
        };
        let Some(recorded) = known.connections().get(*at).filter(|one| one.is_begun()) else {
            continue;
        };
        let difference = flow.time.duration_since(recorded.began);
        // The first that is told of it is of its beginning.
        let known = differences.entry(*at).or_insert(Some(difference));
        *known = (*known).map(|known| known.min(difference));
    }
    let mut all: Vec<SignedDuration> = differences.into_values().flatten().collect();
    let offset = middle(&mut all)?;
    let mut apart: Vec<SignedDuration> = all.iter().map(|one| (*one - offset).abs()).collect();
    let spread = middle(&mut apart)?;
    let is_enough = all.len() >= PAIRS_MIN && spread <= SPREAD_MAX;
    is_enough.then_some(Skew {
        offset,
        spread,
        pairs: all.len(),
    })
}

fn middle(all: &mut [SignedDuration]) -> Option<SignedDuration> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn seconds<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
