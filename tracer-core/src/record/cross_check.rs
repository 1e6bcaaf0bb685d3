//! What is told of a cross-check.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::connections::Open;

/// What a cross-check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossCheck {
    /// How many network namespaces were looked at.
    pub namespaces: u64,
    /// How many sockets were compared.
    pub sockets: u64,
    /// How many of them are not in every list.
    pub hidden: u64,
    /// What could not be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

/// What `sock_diag` or `/proc/net` says of a socket that the iterator does not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its inode number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
}

impl Listed {
    /// What is said in a record; `None`: nothing.
    pub(crate) fn of(event: Event, open: &Open) -> Option<Self> {
        let listed = open.listed.as_ref()?;
        let is_said = event == Event::Existing && (listed.uid.is_some() || listed.inode.is_some());
        is_said.then_some(Self {
            uid: listed.uid,
            inode: listed.inode,
        })
    }
}
