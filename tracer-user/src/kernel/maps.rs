//! Filling the maps by which the programs select.

use anyhow::Context as _;
use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, LpmTrie, MapData, lpm_trie::Key},
};
use tracer_abi::{CgroupPrefix, Predicates};
use tracer_core::{scope::Scopes, select::Compiled};

use crate::host::cgroups::Hierarchies;

/// Words of one set of ports: a bit a port.
const PORT_WORDS: u32 = 1024;
/// Marks a cgroup of a version 1 hierarchy in the map of cgroups.
const CGROUP_V1: u64 = 1 << 63;

/// An address in the kernel's maps.
type AddressKey = [u8; 16];
/// The beginning of a cgroup path in the kernel's maps.
type PrefixKey = [u8; CgroupPrefix::MAX];

/// Writes everything but the cgroups that exist.
pub fn fill(ebpf: &mut Ebpf, selection: &Compiled) -> anyhow::Result<()> {
    fill_ports(ebpf, selection)?;
    let remotes = selection.remotes.iter();
    fill_networks(
        ebpf,
        "REMOTES",
        remotes.map(|(network, bits)| (*network, *bits)),
    )?;
    if uses(selection, Predicates::EXTERNAL) {
        let scopes = selection.scopes.iter();
        fill_networks(
            ebpf,
            "SCOPES",
            scopes.map(|(network, bits)| (*network, *bits)),
        )?;
    }
    let mut numbers: HashMap<_, [u32; 2], u8> = typed(ebpf, "NUMBERS")?;
    for (bit, value) in &selection.numbers {
        numbers.insert([*bit, *value], 1, 0).context(FULL)?;
    }
    let mut prefixes: LpmTrie<_, PrefixKey, u32> = typed(ebpf, "CGROUP_PREFIXES")?;
    for (prefix, bits) in &selection.cgroups {
        prefixes
            .insert(&prefix_key(prefix)?, bits, 0)
            .context(FULL)?;
    }
    Ok(())
}

const FULL: &str = "the selection has more values than the kernel half can hold";

/// Whether a predicate or its negated form is in force.
fn uses(selection: &Compiled, bit: u32) -> bool {
    selection.selection.used & (bit | bit << Predicates::NEGATED_SHIFT) != 0
}

fn typed<'a, M>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<M>
where
    M: TryFrom<&'a mut aya::maps::Map>,
    M::Error: Into<anyhow::Error>,
{
    let map = ebpf
        .map_mut(name)
        .with_context(|| format!("the kernel object has no map {name}"))?;
    M::try_from(map).map_err(Into::into)
}

fn fill_ports(ebpf: &mut Ebpf, selection: &Compiled) -> anyhow::Result<()> {
    let mut map: Array<_, u64> = typed(ebpf, "PORTS")?;
    for (bit, ports) in &selection.ports {
        let mut words = vec![0_u64; PORT_WORDS as usize];
        for port in ports.0.iter().cloned().flatten() {
            if let Some(word) = words.get_mut(usize::from(port >> 6)) {
                *word |= 1 << (port & 63);
            }
        }
        let first = Predicates::port_set(*bit) * PORT_WORDS;
        for (index, word) in (first..).zip(words).filter(|(_, word)| *word != 0) {
            map.set(index, word, 0)?;
        }
    }
    Ok(())
}

fn fill_networks(
    ebpf: &mut Ebpf,
    name: &str,
    networks: impl Iterator<Item = (ipnet::Ipv6Net, u32)>,
) -> anyhow::Result<()> {
    let mut trie: LpmTrie<_, AddressKey, u32> = typed(ebpf, name)?;
    for (network, bits) in networks {
        insert_network(&mut trie, network, bits)?;
    }
    Ok(())
}

fn insert_network<V: Pod>(
    trie: &mut LpmTrie<&mut MapData, AddressKey, V>,
    network: ipnet::Ipv6Net,
    bits: V,
) -> anyhow::Result<()> {
    let key = Key::new(u32::from(network.prefix_len()), network.network().octets());
    trie.insert(&key, bits, 0).context(FULL)
}

fn prefix_key(prefix: &str) -> anyhow::Result<Key<PrefixKey>> {
    let mut data = [0; CgroupPrefix::MAX];
    // The kernel compares paths with their zero byte, so a prefix must leave room for one.
    let room = data
        .get_mut(..prefix.len())
        .filter(|_| prefix.len() < CgroupPrefix::MAX)
        .with_context(|| format!("the cgroup path {prefix} is longer than 255 bytes"))?;
    room.copy_from_slice(prefix.as_bytes());
    Ok(Key::new(u32::try_from(prefix.len() * 8)?, data))
}

/// Enters the cgroups that exist.
pub fn admit_cgroups(
    ebpf: &mut Ebpf,
    selection: &Compiled,
    hierarchies: &Hierarchies,
) -> anyhow::Result<()> {
    if !uses(selection, Predicates::CGROUP) {
        return Ok(());
    }
    let mut map: HashMap<_, u64, u32> = typed(ebpf, "CGROUPS")?;
    for cgroup in hierarchies.walk() {
        let bits = selection.cgroup_bits(&cgroup.path);
        if bits != 0 {
            let mark = if cgroup.is_v1 { CGROUP_V1 } else { 0 };
            map.insert(cgroup.id | mark, bits, 0).context(FULL)?;
        }
    }
    Ok(())
}

/// Enters what is new in the rules about addresses.
pub fn refresh_scopes(
    scopes: &mut LpmTrie<MapData, AddressKey, u32>,
    rules: &Scopes,
) -> anyhow::Result<()> {
    for (network, bits) in rules.for_kernel() {
        let key = Key::new(u32::from(network.prefix_len()), network.network().octets());
        scopes.insert(&key, bits, 0).context(FULL)?;
    }
    Ok(())
}
