//! The hashes by which a recording shows that it is as it was written.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; Hash::LEN]);

impl Hash {
    /// Bytes of one.
    pub const LEN: usize = 32;

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Each hash is that of the one before it and of all bytes since; the first is that of the bytes of
/// the header and what follows it.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    since: Sha256,
    /// Something came since the last hash.
    is_open: bool,
}

impl Chain {
    /// Takes bytes of the recording.
    pub fn add(&mut self, bytes: &[u8]) {
        self.since.update(bytes);
        self.is_open = true;
    }

    /// Nothing came since the last hash.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.is_open
    }

    /// The hash of what came so far, which is where the next one begins.
    pub fn close(&mut self) -> Hash {
        let hash = Hash(self.since.finalize_reset().into());
        self.since.update(hash.0);
        self.is_open = false;
        hash
    }
}
