//! Selection: is this connection one of those that were asked for?
//!
//! What is not in force is switched off in frozen read-only data, so the verifier removes it.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LpmTrie, lpm_trie::Key},
};
use tracer_abi::{
    Address, CgroupPrefix, Connection, Counted, Identity, Kind, Predicates, Selection, Sets,
    Subject, identity_flag, satisfied,
};

use crate::{counters::count, globals::global};

/// Sets of ports in the order of [`Predicates::port_set`], a bit a port.
#[map]
static PORTS: Array<u64> = Array::with_max_entries(2 * Predicates::PORT_FLAGS * PORT_WORDS, 0);
const PORT_WORDS: u32 = 1024;

/// Network → bits of [`tracer_abi::net_bit`] for `--remote` and `--not-remote`.
#[map]
static REMOTES: LpmTrie<Address, u32> = LpmTrie::with_max_entries(16_384, 0);

/// Network → bits of [`tracer_abi::net_bit`] for `--external`.
#[map]
static SCOPES: LpmTrie<Address, u32> = LpmTrie::with_max_entries(16_384, 0);

/// (bit of [`Predicates`], number) → 1: users, login users, protocols, network namespaces.
#[map]
static NUMBERS: HashMap<[u32; 2], u32> = HashMap::with_max_entries(4096, 0);

/// Cgroup → bits of [`Predicates`] that it satisfies. Filled by the loader with what exists and by
/// the `cgroup_mkdir` hook with what is made later. A version 1 cgroup has the top bit set.
#[map]
static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(16_384, 0);

/// Cgroup path prefix → bits of [`Predicates`], to decide about a cgroup when it is made.
#[map]
static CGROUP_PREFIXES: LpmTrie<[u8; CgroupPrefix::MAX], u32> = LpmTrie::with_max_entries(256, 0);

/// Whether the selection keeps the connection.
#[inline(always)]
pub fn matches(connection: &Connection) -> bool {
    keeps(Subject::from(connection))
}

/// Whether the selection keeps what it looks at.
#[inline(always)]
pub fn keeps(subject: Subject<'_>) -> bool {
    let selection = Selection {
        used: global!(SELECTION.used),
        any: global!(SELECTION.any),
    };
    selection.matches(satisfied(selection.used, subject, &Maps))
}

/// Whether the selection asks for cgroups.
#[inline(always)]
pub fn uses_cgroups() -> bool {
    let both = Predicates::CGROUP | Predicates::CGROUP << Predicates::NEGATED_SHIFT;
    global!(SELECTION.used) & both != 0
}

/// Enters a new cgroup into the selection if its path begins with what was asked for.
#[inline(always)]
pub fn admit_cgroup(id: u64, is_v1: bool, path: &Key<[u8; CgroupPrefix::MAX]>) {
    if let Some(bits) = CGROUP_PREFIXES.get(path) {
        let flags = if is_v1 { identity_flag::CGROUP_V1 } else { 0 };
        // Full only with 16,384 matching cgroups; then the selection misses, and says so.
        if CGROUPS.insert(cgroup_key(id, flags), bits, 0).is_err() {
            count(Kind::CGROUP, Counted::MapFull);
        }
    }
}

/// The key of a cgroup in [`CGROUPS`]: kernfs ids are unique in one hierarchy only.
#[inline(always)]
fn cgroup_key(id: u64, flags: u32) -> u64 {
    const V1: u64 = 1 << 63;
    if flags & identity_flag::CGROUP_V1 != 0 {
        id | V1
    } else {
        id
    }
}

/// The sets as the loader has filled them.
struct Maps;

impl Sets for Maps {
    #[inline(always)]
    fn has_port(&self, bit: u32, port: u16) -> u32 {
        let port = u32::from(port);
        let word = PORTS.get(Predicates::port_set(bit) * PORT_WORDS + (port >> 6));
        word.map_or(0, |word| (word >> (port & 63)) as u32 & 1)
    }

    #[inline(always)]
    fn remote_bits(&self, address: Address) -> u32 {
        lookup(&REMOTES, address)
    }

    #[inline(always)]
    fn scope_bits(&self, address: Address) -> u32 {
        lookup(&SCOPES, address)
    }

    #[inline(always)]
    fn has_number(&self, bit: u32, value: u32) -> u32 {
        match NUMBERS.get_ptr([bit, value]) {
            // SAFETY: the value is one aligned word, read in one load.
            Some(is_in) => unsafe { *is_in },
            None => 0,
        }
    }

    #[inline(always)]
    fn cgroup_bits(&self, owner: &Identity) -> u32 {
        match CGROUPS.get_ptr(cgroup_key(owner.cgroup_id, owner.flags)) {
            // SAFETY: the value is one aligned word, read in one load.
            Some(bits) => unsafe { *bits },
            None => 0,
        }
    }
}

#[inline(always)]
fn lookup(trie: &LpmTrie<Address, u32>, address: Address) -> u32 {
    trie.get(Key::new(128, address)).copied().unwrap_or(0)
}
