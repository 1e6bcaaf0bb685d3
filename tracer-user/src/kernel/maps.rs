//! Filling the maps by which the programs select.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, BorrowedFd},
};

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, Map, MapData, lpm_trie::Key},
};
use ipnet::Ipv6Net;
use tracer_abi::{CgroupPrefix, Predicates};
use tracer_core::select::Compiled;

use crate::host::cgroups::Hierarchies;

/// Words of one set of ports: a bit a port.
const PORT_WORDS: u32 = 1024;
/// Marks a cgroup of a version 1 hierarchy in the map of cgroups.
const CGROUP_V1: u64 = 1 << 63;

/// An address in the kernel's maps.
type AddressKey = [u8; 16];
/// The beginning of a cgroup path in the kernel's maps.
type PrefixKey = [u8; CgroupPrefix::MAX];

/// The descriptor of a hash map.
pub fn descriptor<'a>(ebpf: &'a Ebpf, name: &str) -> anyhow::Result<BorrowedFd<'a>> {
    match ebpf.map(name) {
        Some(Map::HashMap(map)) => Ok(map.fd().as_fd()),
        _ => anyhow::bail!("the kernel object has no hash map {name}"),
    }
}

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
    let mut numbers: HashMap<_, [u32; 2], u32> = typed(ebpf, "NUMBERS")?;
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
    M: TryFrom<&'a mut Map>,
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
    networks: impl Iterator<Item = (Ipv6Net, u32)>,
) -> anyhow::Result<()> {
    let mut trie: LpmTrie<_, AddressKey, u32> = typed(ebpf, name)?;
    for (network, bits) in networks {
        trie.insert(&network_key(network), bits, 0).context(FULL)?;
    }
    Ok(())
}

fn network_key(network: Ipv6Net) -> Key<AddressKey> {
    Key::new(u32::from(network.prefix_len()), network.network().octets())
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

/// What of a selection a map has.
type Part = fn(&Compiled) -> &[(Ipv6Net, u32)];

/// A map of networks, kept up to date with the addresses of this host, or with feeds of indicators.
pub struct NetworkMap {
    trie: LpmTrie<MapData, AddressKey, u32>,
    /// What of a selection it has.
    part: Part,
    /// What is in it.
    entries: BTreeMap<Ipv6Net, u32>,
}

impl NetworkMap {
    /// Those maps that may change, of the predicates that the selection makes use of.
    pub fn take(ebpf: &mut Ebpf, selection: &Compiled) -> anyhow::Result<Vec<Self>> {
        let is_external = uses(selection, Predicates::EXTERNAL);
        let parts: [(bool, &str, Part); 2] = [
            (is_external, "SCOPES", |all| &all.scopes),
            (selection.is_of_feeds, "REMOTES", |all| &all.remotes),
        ];
        let used = parts.into_iter().filter(|(is_used, ..)| *is_used);
        let map = |(_, name, part): (bool, &str, Part)| {
            let map = ebpf.take_map(name);
            let map = map.with_context(|| format!("the kernel object has no map {name}"))?;
            Ok(Self {
                trie: LpmTrie::try_from(map)?,
                part,
                entries: part(selection).iter().copied().collect(),
            })
        };
        used.map(map).collect()
    }

    /// Makes it what the selection says now. What is new comes before what is old goes, so that nothing that both
    /// have is missed between.
    pub fn update(&mut self, selection: &Compiled) -> anyhow::Result<()> {
        let wanted: BTreeMap<Ipv6Net, u32> = (self.part)(selection).iter().copied().collect();
        for (network, bits) in &wanted {
            if self.entries.get(network) != Some(bits) {
                let key = network_key(*network);
                self.trie.insert(&key, bits, 0).context(FULL)?;
                self.entries.insert(*network, *bits);
            }
        }
        let gone = self
            .entries
            .extract_if(.., |network, _| !wanted.contains_key(network));
        for (network, _) in gone {
            self.trie.remove(&network_key(network))?;
        }
        Ok(())
    }
}
