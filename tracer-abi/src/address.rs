//! IP addresses of both families in one form.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IPv6 address, or an IPv4 address in its IPv4-mapped form (`::ffff:a.b.c.d`), in network byte
/// order and aligned, so that the kernel half handles it as two words.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, align(8))]
pub struct Address(pub [u8; 16]);

impl Address {
    /// `::`
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// Bytes 8 to 11 of an IPv4-mapped address, as the word they make in memory.
    const MAPPED_PREFIX: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

    /// An IPv4 address; `network_order` as it lies in memory.
    #[inline(always)]
    #[must_use]
    pub fn from_v4(network_order: u32) -> Self {
        Self::from_words([0, join(Self::MAPPED_PREFIX, network_order)])
    }

    /// The 16 bytes as the two words they make in memory.
    #[inline(always)]
    #[must_use]
    pub fn from_words(words: [u64; 2]) -> Self {
        zerocopy::transmute!(words)
    }

    /// The 16 bytes as the four half words they make in memory.
    #[inline(always)]
    #[must_use]
    pub fn from_halves(halves: [u32; 4]) -> Self {
        zerocopy::transmute!(halves)
    }

    /// The two words.
    #[inline(always)]
    #[must_use]
    pub fn words(self) -> [u64; 2] {
        zerocopy::transmute!(self)
    }

    /// `::`, or `0.0.0.0` in its IPv4-mapped form.
    #[inline(always)]
    #[must_use]
    pub fn is_unspecified(self) -> bool {
        let [high, low] = self.words();
        high == 0 && (low == 0 || low == join(Self::MAPPED_PREFIX, 0))
    }

    /// The address that decides whether it is external: the IPv4 address embedded in a NAT64
    /// (`64:ff9b::/96`, RFC 6052) or 6to4 (`2002::/16`, RFC 3056) address, else itself.
    #[inline(always)]
    #[must_use]
    pub fn canonical(self) -> Self {
        const NAT64: u64 = u64::from_ne_bytes([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0]);
        let [high, low] = self.words();
        let [first, second]: [u32; 2] = zerocopy::transmute!(low);
        if high == NAT64 && first == 0 {
            return Self::from_v4(second);
        }
        let b = &self.0;
        if b[0] == 0x20 && b[1] == 0x02 {
            return Self::from_v4(u32::from_ne_bytes([b[2], b[3], b[4], b[5]]));
        }
        self
    }

    /// `::ffff:0:0/96`
    #[inline(always)]
    #[must_use]
    pub fn is_mapped_v4(self) -> bool {
        let [high, low] = self.words();
        high == 0 && first_half(low) == Self::MAPPED_PREFIX
    }
}

/// The word whose first four bytes in memory are `first` and whose last four are `second`.
#[inline(always)]
fn join(first: u32, second: u32) -> u64 {
    zerocopy::transmute!([first, second])
}

#[inline(always)]
fn first_half(word: u64) -> u32 {
    let halves: [u32; 2] = zerocopy::transmute!(word);
    halves[0]
}
