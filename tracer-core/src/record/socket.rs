//! The record of a socket of a kind that is not followed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Ancestor, Attribution, Head, Owner, Word};
use crate::socket::SocketKind;

/// A process opened a socket of a kind that is not followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Socket {
    /// Time, event, position, host.
    #[serde(flatten)]
    pub head: Head,
    /// What kind of socket it is.
    pub kind: SocketKind,
    /// `ipv4` or `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Word>,
    /// `stream`, `datagram`, `raw`, `seqpacket`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub socket_type: Option<Word>,
    /// What is spoken: its name, or its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Inode number of the socket.
    pub inode: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// How the owner is known.
    pub attribution: Attribution,
    /// Who opened it.
    #[serde(flatten)]
    pub owner: Arc<Owner>,
    /// From the parent up to the session leader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestry: Vec<Ancestor>,
}
