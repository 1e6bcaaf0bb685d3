//! What a flow was found to be.

use std::sync::Arc;

use serde::Serialize;

use super::Recorded;
use crate::record::{Id, Owner, Process};

/// So many are told of one flow at most.
const CANDIDATES_MAX: usize = 16;

/// Which connection of this host a flow was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// One of a process that is known.
    Matched,
    /// One of a process that is known, if the host has translated the address of its network namespace, which
    /// nobody saw.
    Translated,
    /// One of several, of different processes.
    Ambiguous,
    /// None, though the host was watched.
    Absent,
    /// The device did not let it through, and nothing of it came here.
    NotArrived,
    /// The host was not watched, or not all of that time, or not for that.
    Uncovered,
    /// It was not of this host.
    Elsewhere,
    /// A connection of this host, of which no log tells.
    Unlogged,
}

impl Match {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Matched,
        Self::Translated,
        Self::Ambiguous,
        Self::Absent,
        Self::NotArrived,
        Self::Uncovered,
        Self::Elsewhere,
        Self::Unlogged,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Translated => "translated",
            Self::Ambiguous => "ambiguous",
            Self::Absent => "absent",
            Self::NotArrived => "not_arrived",
            Self::Uncovered => "uncovered",
            Self::Elsewhere => "elsewhere",
            Self::Unlogged => "unlogged",
        }
    }
}

/// What is known of a flow by what its host recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attributed {
    /// Which connection it was.
    #[serde(rename = "match")]
    pub verdict: Match,
    /// Why it is none, or not known which.
    #[serde(rename = "match_reason", skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Id>,
    /// The ids of those that it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Id>,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
    /// Who used it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// Who opened it, where that is another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<Arc<Process>>,
    /// The host is where the flow went to.
    #[serde(skip)]
    pub is_of_destination: bool,
}

impl Attributed {
    /// It was this connection.
    pub(super) fn matched(recorded: &Recorded, is_of_destination: bool) -> Self {
        Self {
            verdict: Match::Matched,
            why: None,
            connection: Some(recorded.id),
            candidates: Vec::new(),
            host: Some(recorded.host.clone()),
            owner: recorded.owner.clone(),
            opened_by: recorded.opened_by.clone(),
            is_of_destination,
        }
    }

    /// It was this connection, if the host has translated its address.
    pub(super) fn translated(recorded: &Recorded, is_of_destination: bool) -> Self {
        let why = "it fits one connection of another network namespace of this host, whose addresses the host may \
                   translate";
        Self {
            verdict: Match::Translated,
            why: Some(why.to_owned()),
            ..Self::matched(recorded, is_of_destination)
        }
    }

    /// It was one of these.
    pub(super) fn ambiguous(recorded: &[&Recorded], why: &str) -> Self {
        let candidates = recorded.iter().take(CANDIDATES_MAX);
        Self {
            candidates: candidates.map(|one| one.id).collect(),
            ..Self::without(Match::Ambiguous, why)
        }
    }

    /// It was none.
    pub(super) fn without(verdict: Match, why: &str) -> Self {
        Self {
            verdict,
            why: Some(why.to_owned()),
            connection: None,
            candidates: Vec::new(),
            host: None,
            owner: None,
            opened_by: None,
            is_of_destination: false,
        }
    }

    /// No log tells of it.
    pub(super) fn unlogged(recorded: &Recorded) -> Self {
        Self {
            verdict: Match::Unlogged,
            ..Self::matched(recorded, false)
        }
    }
}
