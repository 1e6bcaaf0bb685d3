//! Short names as the kernel keeps them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Up to 16 bytes, padded with zeros: a `comm`, or the name of a terminal. Any bytes at all, for a
/// process chooses its own. Aligned, so that the kernel half handles it as two words.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, align(8))]
pub struct Name(pub [u8; 16]);

impl Name {
    /// No name.
    pub const EMPTY: Self = Self([0; 16]);

    /// The 16 bytes as the two words they make in memory.
    #[inline(always)]
    #[must_use]
    pub fn from_words(words: [u64; 2]) -> Self {
        zerocopy::transmute!(words)
    }

    /// What stands before the first zero.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}
