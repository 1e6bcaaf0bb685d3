//! The part of a selection that the kernel decides.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Connection, Identity, family};

/// Which predicates are in force and how they combine. Read-only to the programs and frozen, so that
/// what is not asked for costs nothing; the values to compare with are in maps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Selection {
    /// Bits of [`Predicates`] that are in force.
    pub used: u32,
    /// 1: one satisfied predicate is enough; 0: all must be.
    pub any: u32,
}

impl Selection {
    /// The verdict, given the predicates that a connection satisfies.
    ///
    /// The only place where predicates are combined, in the kernel and in user space.
    #[inline(always)]
    #[must_use]
    pub const fn matches(self, satisfied: u32) -> bool {
        if self.any == 1 {
            self.used == 0 || satisfied & self.used != 0
        } else {
            satisfied & self.used == self.used
        }
    }
}

/// One bit for each selection flag that the kernel can decide. The negated form of a flag is the
/// bit shifted by [`Predicates::NEGATED_SHIFT`].
pub struct Predicates;

impl Predicates {
    /// `--port`
    pub const PORT: u32 = 1;
    /// `--local-port`
    pub const LOCAL_PORT: u32 = 1 << 1;
    /// `--remote-port`
    pub const REMOTE_PORT: u32 = 1 << 2;
    /// `--remote`
    pub const REMOTE: u32 = 1 << 3;
    /// `--external`
    pub const EXTERNAL: u32 = 1 << 4;
    /// `--protocol`
    pub const PROTOCOL: u32 = 1 << 5;
    /// `--user`
    pub const USER: u32 = 1 << 6;
    /// `--login`
    pub const LOGIN: u32 = 1 << 7;
    /// `--cgroup`
    pub const CGROUP: u32 = 1 << 8;
    /// `--netns`
    pub const NETNS: u32 = 1 << 9;
    /// How far the bit of `--not-X` lies above the bit of `--X`.
    pub const NEGATED_SHIFT: u32 = 16;

    /// The flags that compare addresses and ports.
    pub const OF_ENDS: u32 =
        Self::PORT | Self::LOCAL_PORT | Self::REMOTE_PORT | Self::REMOTE | Self::EXTERNAL;

    /// How many flags compare ports: the three lowest bits.
    pub const PORT_FLAGS: u32 = 3;

    /// Which set of ports belongs to the bit of a flag that compares ports: those of the plain flags
    /// first, then those of the negated ones.
    #[inline(always)]
    #[must_use]
    pub const fn port_set(bit: u32) -> u32 {
        let position = bit.trailing_zeros();
        if position < Self::NEGATED_SHIFT {
            position
        } else {
            position - Self::NEGATED_SHIFT + Self::PORT_FLAGS
        }
    }
}

/// The values that predicates compare with: maps in the kernel, tables in user space. Both halves
/// evaluate the same code over them, so that they agree.
///
/// Answers are numbers, 1 for yes and 0 for no, to be calculated with: the verifier follows each
/// branch separately, and twenty predicates make a million paths.
pub trait Sets {
    /// Whether the port is in a set; `bit` is that of [`Predicates`], negated or not.
    fn has_port(&self, bit: u32, port: u16) -> u32;
    /// Bits of [`net_bit`] for `--remote` and its negated form, of the address as it is.
    fn remote_bits(&self, address: Address) -> u32;
    /// Bits of [`net_bit`] for `--external`, of the canonical address.
    fn scope_bits(&self, address: Address) -> u32;
    /// Whether a user, login user, protocol or network namespace is in a set.
    fn has_number(&self, bit: u32, value: u32) -> u32;
    /// The bits of [`Predicates`] that being in this cgroup satisfies, negated ones where the cgroup
    /// is one of the negated form.
    fn cgroup_bits(&self, owner: &Identity) -> u32;
}

/// What a selection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who uses it.
    pub owner: &'a Identity,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// What is spoken, as IP numbers it.
    pub protocol: u32,
    /// Where the addresses and ports are. What has neither satisfies no test on them, so that it
    /// satisfies the negated form of each.
    pub ends: Option<&'a Connection>,
}

impl<'a> Subject<'a> {
    /// The protocol of what is not spoken over IP: no test names it.
    const NOT_IP: u32 = u32::MAX;

    /// A socket that is not followed. `protocol`: as in a [`SocketFrame`](crate::SocketFrame).
    #[inline(always)]
    #[must_use]
    pub fn of_socket(owner: &'a Identity, netns: u32, family: u16, protocol: u32) -> Self {
        Self {
            owner,
            netns,
            protocol: match family {
                family::IPV4 | family::IPV6 => protocol,
                _ => Self::NOT_IP,
            },
            ends: None,
        }
    }
}

impl<'a> From<&'a Connection> for Subject<'a> {
    #[inline(always)]
    fn from(connection: &'a Connection) -> Self {
        Self {
            owner: &connection.owner,
            netns: connection.netns,
            protocol: u32::from(connection.protocol),
            ends: Some(connection),
        }
    }
}

/// The predicates out of `used` that a subject satisfies.
#[inline(always)]
#[must_use]
pub fn satisfied(used: u32, subject: Subject<'_>, sets: &impl Sets) -> u32 {
    Evaluation { used, sets }.all(subject)
}

/// One evaluation of the predicates in force. What is not in force is never looked up.
struct Evaluation<'a, S: Sets> {
    used: u32,
    sets: &'a S,
}

impl<S: Sets> Evaluation<'_, S> {
    #[inline(always)]
    fn all(&self, subject: Subject<'_>) -> u32 {
        // Known when the programs are compiled, so these branches are none for the verifier.
        let ends = match subject.ends {
            Some(connection) => self.ends(connection),
            None => self.used & Predicates::OF_ENDS << Predicates::NEGATED_SHIFT,
        };
        ends | self.test(Predicates::PROTOCOL, |bit| {
            self.sets.has_number(bit, subject.protocol)
        }) | self.test(Predicates::NETNS, |bit| {
            self.sets.has_number(bit, subject.netns)
        }) | self.owner(subject.owner)
    }

    #[inline(always)]
    fn ends(&self, connection: &Connection) -> u32 {
        let (local, remote) = (connection.local_port, connection.remote_port);
        let address = connection.remote;
        self.test(Predicates::PORT, |bit| {
            self.sets.has_port(bit, local) | self.sets.has_port(bit, remote)
        }) | self.test(Predicates::LOCAL_PORT, |bit| self.sets.has_port(bit, local))
            | self.test(Predicates::REMOTE_PORT, |bit| {
                self.sets.has_port(bit, remote)
            })
            | self.test(Predicates::REMOTE, |bit| {
                let wanted = if bit == Predicates::REMOTE {
                    net_bit::REMOTE
                } else {
                    net_bit::NOT_REMOTE
                };
                has(self.sets.remote_bits(address), wanted)
            })
            | self.test(Predicates::EXTERNAL, |_| {
                let bits = self.sets.scope_bits(address.canonical());
                has(bits, net_bit::EXTERNAL)
            })
    }

    /// Nobody is no user and in no cgroup.
    #[inline(always)]
    fn owner(&self, owner: &Identity) -> u32 {
        let somebody = u32::from(owner.tgid != 0);
        self.test(Predicates::USER, |bit| {
            somebody & self.sets.has_number(bit, owner.uid)
        }) | self.test(Predicates::LOGIN, |bit| {
            somebody & self.sets.has_number(bit, owner.auid)
        }) | self.test(Predicates::CGROUP, |bit| {
            somebody & has(self.sets.cgroup_bits(owner), bit)
        })
    }

    /// The bit where the flag is in force and `holds`; its negated form where that is in force and
    /// does not hold.
    #[inline(always)]
    fn test(&self, bit: u32, holds: impl Fn(u32) -> u32) -> u32 {
        let negated = bit << Predicates::NEGATED_SHIFT;
        let mut satisfied = 0;
        if self.used & bit != 0 {
            satisfied |= holds(bit) << bit.trailing_zeros();
        }
        if self.used & negated != 0 {
            satisfied |= (holds(negated) ^ 1) << negated.trailing_zeros();
        }
        satisfied
    }
}

/// Whether a single bit is set.
#[inline(always)]
fn has(bits: u32, bit: u32) -> u32 {
    bits >> bit.trailing_zeros() & 1
}

/// Bits of the values in the tries of addresses.
pub mod net_bit {
    /// The address is one of `--remote`.
    pub const REMOTE: u32 = 1;
    /// The address is one of `--not-remote`.
    pub const NOT_REMOTE: u32 = 2;
    /// The address is external.
    pub const EXTERNAL: u32 = 4;
}

/// Longest cgroup path prefix the kernel can compare: what an LPM trie allows.
pub struct CgroupPrefix;

impl CgroupPrefix {
    /// Bytes.
    pub const MAX: usize = 256;
}
