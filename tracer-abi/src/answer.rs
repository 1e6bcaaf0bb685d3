//! Answers of DNS.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Header;

/// Bytes of a message that an [`AnswerFrame`] can carry: more than fits into a packet of an ethernet.
pub const ANSWER_MAX: usize = 2048;

/// A socket received what may be an answer of DNS. Behind the fixed part lie `message_len` bytes of it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AnswerFrame {
    /// What, when and where.
    pub header: Header,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Process id of who holds the socket; zero: not known.
    pub tgid: u32,
    /// Bytes of message.
    pub message_len: u32,
    /// Zero.
    pub reserved: u32,
}
