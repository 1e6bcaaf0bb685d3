//! The addresses of network namespaces, read through one of their processes without entering them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use super::namespaces;

/// Addresses of network namespaces, by their inode numbers.
pub type Known = BTreeMap<u32, Vec<IpAddr>>;

/// Those of each of these namespaces, of which one process is known. Where that has ended meanwhile, the namespace
/// has the addresses it had before, and is left out if nothing was known of it.
pub fn of_all(namespaces: &BTreeMap<u32, u32>, before: &Known) -> Known {
    let of = |netns: u32, pid: u32| of_namespace(pid).or_else(|| before.get(&netns).cloned());
    let one = |(netns, pid): (&u32, &u32)| Some((*netns, of(*netns, *pid)?));
    namespaces.iter().filter_map(one).collect()
}

/// All addresses of the namespace that a process is in; `None`: it has ended.
pub fn of_namespace(pid: u32) -> Option<Vec<IpAddr>> {
    // The kernel lists the routes of a namespace with its addresses, which on a router are many; of
    // the own namespace the addresses alone can be had.
    if namespaces::of(pid) == namespaces::of(std::process::id()) {
        return Some(of_own_namespace());
    }
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).ok();
    let mut addresses = parse_fib_trie(&read("fib_trie")?);
    // A kernel without IPv6 has no list of such addresses.
    addresses.extend(parse_if_inet6(&read("if_inet6").unwrap_or_default()));
    addresses.sort_unstable();
    addresses.dedup();
    // Between the two files it may have ended, too.
    namespaces::of(pid).map(|_| addresses)
}

/// Those of the namespace that this process is in.
pub fn of_own_namespace() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect()
}

/// IPv4 addresses: leaves of the trie that are followed by `/32 host LOCAL`.
fn parse_fib_trie(text: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let mut leaf = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<IpAddr>().ok();
        } else if line == "/32 host LOCAL" {
            addresses.extend(leaf);
        }
    }
    addresses
}

/// IPv6 addresses: 32 hexadecimal digits at the beginning of each line.
fn parse_if_inet6(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let digits = line.get(..32)?;
        let bits = u128::from_str_radix(digits, 16).ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(bits)))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_of_a_trie() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    Local:\n     +-- 10.1.2.0/24 2 0 2\n        |-- 10.1.2.0\n           \
                    /24 link UNICAST\n        |-- 10.1.2.3\n           /32 host LOCAL\n        \
                    |-- 10.1.2.255\n           /32 link BROADCAST\n        |-- 127.0.0.0\n           \
                    /8 host LOCAL\n        |-- 127.0.0.1\n           /32 host LOCAL\n";
        let addresses = parse_fib_trie(text);
        assert_eq!(
            addresses,
            [IpAddr::from([10, 1, 2, 3]), IpAddr::from([127, 0, 0, 1])]
        );
    }

    #[test]
    fn a_process_that_has_ended_takes_no_addresses_with_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let before = Known::from([(1, vec![IpAddr::from([10, 1, 2, 3])])]);
        let after = of_all(&[(1, child.id()), (2, child.id())].into(), &before);
        assert_eq!(after, before);
        let own = of_all(&[(3, std::process::id())].into(), &before);
        assert_eq!(own.keys().collect::<Vec<_>>(), [&3]);
    }

    #[test]
    fn ipv6_addresses() {
        let text = "fe800000000000000000000000000001 02 40 20 80     eth0\nshort\n";
        let expected: IpAddr = "fe80::1".parse().unwrap();
        assert_eq!(parse_if_inet6(text), [expected]);
    }
}
