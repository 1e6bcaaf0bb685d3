//! What kind of address an address is, and whether it is external.
//!
//! Decided on the canonical address (IPv4-mapped, NAT64 and 6to4 forms by the IPv4 address they
//! embed), in this order: the host's own addresses, the networks the user calls external, those the
//! user calls internal, the special-purpose ranges, and the rest is external.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};
use tracer_abi::{Address, net_bit};

use crate::{fact::Networks, record::ScopeRule};

/// What kind of address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One of the host's own.
    #[serde(rename = "self")]
    Own,
    /// On the internet, or what the user calls so.
    External,
    /// What the user calls internal.
    Internal,
    /// No address.
    Unspecified,
    /// This host.
    Loopback,
    /// This link.
    LinkLocal,
    /// The metadata service of a cloud.
    CloudMetadata,
    /// Private networks.
    Private,
    /// Carrier-grade NAT.
    Shared,
    /// Many hosts.
    Multicast,
    /// All hosts of a network.
    Broadcast,
    /// For examples.
    Documentation,
    /// For measurements.
    Benchmark,
    /// Not in use on the internet.
    Reserved,
}

impl Scope {
    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::External => "external",
            Self::Internal => "internal",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::CloudMetadata => "cloud_metadata",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::Reserved => "reserved",
        }
    }
}

/// The special-purpose ranges, from IANA's registries of IPv4 and IPv6 special-purpose addresses
/// and of multicast addresses, with what a responder calls them. Of overlapping ones the longest
/// counts.
const SPECIAL: [(&str, Scope); 45] = [
    ("0.0.0.0/8", Scope::Unspecified),
    ("10.0.0.0/8", Scope::Private),
    ("100.64.0.0/10", Scope::Shared),
    ("127.0.0.0/8", Scope::Loopback),
    ("169.254.0.0/16", Scope::LinkLocal),
    ("169.254.169.254/32", Scope::CloudMetadata),
    ("172.16.0.0/12", Scope::Private),
    ("192.0.0.0/24", Scope::Reserved),
    // Anycast of the Port Control Protocol and of TURN: globally reachable.
    ("192.0.0.9/32", Scope::External),
    ("192.0.0.10/32", Scope::External),
    ("192.0.2.0/24", Scope::Documentation),
    ("192.88.99.0/24", Scope::Reserved),
    ("192.168.0.0/16", Scope::Private),
    ("198.18.0.0/15", Scope::Benchmark),
    ("198.51.100.0/24", Scope::Documentation),
    ("203.0.113.0/24", Scope::Documentation),
    ("224.0.0.0/4", Scope::Multicast),
    ("240.0.0.0/4", Scope::Reserved),
    ("255.255.255.255/32", Scope::Broadcast),
    // Everything outside 2000::/3 is unallocated, or is listed.
    ("::/0", Scope::Reserved),
    ("::/128", Scope::Unspecified),
    ("::1/128", Scope::Loopback),
    ("100::/64", Scope::Reserved),
    ("2000::/3", Scope::External),
    ("2001::/23", Scope::Reserved),
    // Teredo: a host on the internet behind a tunnel.
    ("2001::/32", Scope::External),
    ("2001:1::1/128", Scope::External),
    ("2001:1::2/128", Scope::External),
    ("2001:1::3/128", Scope::External),
    ("2001:2::/48", Scope::Benchmark),
    ("2001:3::/32", Scope::External),
    ("2001:4:112::/48", Scope::External),
    ("2001:10::/28", Scope::Reserved),
    ("2001:20::/28", Scope::External),
    ("2001:30::/28", Scope::External),
    ("2001:db8::/32", Scope::Documentation),
    ("3fff::/20", Scope::Documentation),
    ("5f00::/16", Scope::Reserved),
    ("64:ff9b:1::/48", Scope::Private),
    ("fc00::/7", Scope::Private),
    ("fd00:ec2::254/128", Scope::CloudMetadata),
    ("fe80::/10", Scope::LinkLocal),
    ("fec0::/10", Scope::Private),
    ("ff00::/8", Scope::Multicast),
    // The rest of IPv4.
    ("::ffff:0:0/96", Scope::External),
];

/// Where the rules are from that nobody declares.
pub(crate) const SPECIAL_PURPOSE: &str = "special-purpose registries";

/// Where a rule is from; the order is the order in which rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Own,
    External,
    Internal,
    Special,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Self::Own => "own addresses",
            Self::External => "--external-cidr",
            Self::Internal => "--internal-cidr",
            Self::Special => SPECIAL_PURPOSE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    network: Ipv6Net,
    source: Source,
    scope: Scope,
}

/// The rules about addresses, ready to be asked.
#[derive(Clone, Debug)]
pub struct Scopes {
    /// By network, ascending; for each network what an address has of which it is the longest one.
    table: Vec<(Ipv6Net, Scope)>,
    rules: Vec<Rule>,
}

impl Scopes {
    /// From the host's own addresses and the networks the user declared.
    #[must_use]
    pub fn new(own: &[IpAddr], declared: &Networks) -> Self {
        let own = own
            .iter()
            .map(|ip| (IpNet::from(*ip), Source::Own, Scope::Own));
        let of = |networks: &[IpNet], source, scope| {
            networks
                .iter()
                .map(|network| (*network, source, scope))
                .collect::<Vec<_>>()
        };
        let special = SPECIAL
            .iter()
            .filter_map(|(network, scope)| Some((network.parse().ok()?, Source::Special, *scope)));
        let rules: Vec<Rule> = own
            .chain(of(&declared.external, Source::External, Scope::External))
            .chain(of(&declared.internal, Source::Internal, Scope::Internal))
            .chain(special)
            .map(|(network, source, scope)| Rule {
                network: mapped(network),
                source,
                scope,
            })
            .collect();
        Self {
            table: flatten(&rules),
            rules,
        }
    }

    /// What kind of address it is.
    #[must_use]
    pub fn of(&self, ip: IpAddr) -> Scope {
        let address = Ipv6Addr::from(to_address(ip).canonical().0);
        longest(&self.table, address).map_or(Scope::External, |(_, scope)| *scope)
    }

    /// The rules for the kernel: network → bits of [`net_bit`].
    #[must_use]
    pub fn for_kernel(&self) -> Vec<(Ipv6Net, u32)> {
        self.table
            .iter()
            .map(|(network, scope)| {
                let is_external = *scope == Scope::External;
                (*network, if is_external { net_bit::EXTERNAL } else { 0 })
            })
            .collect()
    }

    /// The rules in their order, for the `start` record.
    #[must_use]
    pub fn describe(&self) -> Vec<ScopeRule> {
        let mut described: Vec<ScopeRule> = Vec::new();
        for rule in &self.rules {
            let network = unmapped(rule.network).to_string();
            let from = rule.source.word();
            match described
                .iter_mut()
                .find(|known| known.scope == rule.scope && known.from == from)
            {
                Some(known) => known.networks.push(network),
                None => described.push(ScopeRule {
                    scope: rule.scope,
                    from: from.into(),
                    networks: vec![network],
                }),
            }
        }
        described
    }
}

/// For each network that a rule names: what the rules that cover all of it decide. An address is
/// decided by the same rules as the longest of these networks it lies in, so that one look-up for
/// the longest prefix, in the kernel too, gives the answer of the ordered rules.
fn flatten(rules: &[Rule]) -> Vec<(Ipv6Net, Scope)> {
    let mut table: Vec<(Ipv6Net, Scope)> = rules
        .iter()
        .filter_map(|asked| {
            let deciding = rules
                .iter()
                .filter(|rule| rule.network.contains(&asked.network))
                .min_by_key(|rule| (rule.source, 128 - rule.network.prefix_len()))?;
            Some((asked.network, deciding.scope))
        })
        .collect();
    table.sort_unstable();
    table.dedup();
    table
}

/// The entry of the longest network that contains the address; `table` is sorted.
pub fn longest<T>(table: &[(Ipv6Net, T)], address: Ipv6Addr) -> Option<&(Ipv6Net, T)> {
    // A network sorts before all it contains, so what contains the address lies before it. What lies last
    // before it, and does not contain it, has with it only a network in common that contains both.
    let mut len = 128;
    loop {
        let wanted = Ipv6Net::new(address, len).ok()?.trunc();
        let end = table.partition_point(|(network, _)| *network <= wanted);
        let found = table.get(end.checked_sub(1)?)?;
        if found.0.contains(&address) {
            return Some(found);
        }
        let differ = u128::from(found.0.network()) ^ u128::from(address);
        len = u8::try_from(differ.leading_zeros()).ok()?;
    }
}

/// A network in the 128 bits of IPv6, IPv4 in its mapped form.
#[must_use]
pub fn mapped(network: IpNet) -> Ipv6Net {
    let (address, len) = match network {
        IpNet::V4(v4) => (v4.network().to_ipv6_mapped(), v4.prefix_len() + 96),
        IpNet::V6(v6) => (v6.network(), v6.prefix_len()),
    };
    Ipv6Net::new_assert(address, len).trunc()
}

fn unmapped(network: Ipv6Net) -> IpNet {
    match network.network().to_ipv4_mapped() {
        Some(v4) if network.prefix_len() >= 96 => {
            ipnet::Ipv4Net::new_assert(v4, network.prefix_len() - 96).into()
        }
        _ => network.into(),
    }
}

/// An address as the kernel half has it.
#[must_use]
pub fn to_address(ip: IpAddr) -> Address {
    Address(match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    })
}

/// An address from the kernel half; IPv4-mapped as IPv4.
#[must_use]
pub fn to_ip(address: Address) -> IpAddr {
    Ipv6Addr::from(address.0).to_canonical()
}

/// `0.0.0.0` for IPv4, `::` for IPv6.
#[must_use]
pub fn unspecified(is_v4: bool) -> IpAddr {
    if is_v4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(own: &[&str], external: &[&str], internal: &[&str]) -> Scopes {
        let networks = |list: &[&str]| list.iter().map(|n| n.parse().unwrap()).collect();
        let own: Vec<IpAddr> = own.iter().map(|ip| ip.parse().unwrap()).collect();
        Scopes::new(
            &own,
            &Networks {
                internal: networks(internal),
                external: networks(external),
            },
        )
    }

    fn check(scopes: &Scopes, cases: &[(&str, Scope)]) {
        for (ip, scope) in cases {
            assert_eq!(scopes.of(ip.parse().unwrap()), *scope, "{ip}");
        }
    }

    #[test]
    fn special_ranges_have_labels() {
        check(
            &scopes(&[], &[], &[]),
            &[
                ("8.8.8.8", Scope::External),
                ("::ffff:8.8.8.8", Scope::External),
                ("::ffff:10.0.0.1", Scope::Private),
                ("64:ff9b::a00:1", Scope::Private),
                ("64:ff9b::808:808", Scope::External),
                ("2002:808:808::1", Scope::External),
                ("2002:a00:1::1", Scope::Private),
                ("224.0.0.1", Scope::Multicast),
                ("ff02::1", Scope::Multicast),
                ("fec0::1", Scope::Private),
                ("100:0:0:1::1", Scope::Reserved),
                ("4000::1", Scope::Reserved),
                ("::8.8.8.8", Scope::Reserved),
                ("2001:1::3", Scope::External),
                ("2001:1::4", Scope::Reserved),
                ("2606:4700::1111", Scope::External),
                ("100.64.0.1", Scope::Shared),
                ("169.254.1.1", Scope::LinkLocal),
                ("169.254.169.254", Scope::CloudMetadata),
                ("fd00:ec2::254", Scope::CloudMetadata),
                ("fd00::1", Scope::Private),
                ("198.18.0.1", Scope::Benchmark),
                ("203.0.113.1", Scope::Documentation),
                ("2001:db8::1", Scope::Documentation),
                ("192.0.0.9", Scope::External),
                ("192.0.0.8", Scope::Reserved),
                ("240.0.0.1", Scope::Reserved),
                ("255.255.255.255", Scope::Broadcast),
                ("0.0.0.0", Scope::Unspecified),
                ("::", Scope::Unspecified),
                ("::1", Scope::Loopback),
                ("127.8.8.8", Scope::Loopback),
                ("172.15.255.255", Scope::External),
                ("172.32.0.0", Scope::External),
            ],
        );
    }

    #[test]
    fn own_addresses_before_external_before_internal_before_special() {
        check(
            &scopes(
                &["203.0.113.7", "8.8.4.4", "2606:4700::5"],
                &["10.9.0.0/16", "192.0.0.0/16"],
                &["10.0.0.0/8", "8.8.0.0/16", "2606:4700::/32"],
            ),
            &[
                ("203.0.113.7", Scope::Own),
                ("8.8.4.4", Scope::Own),
                ("2606:4700::5", Scope::Own),
                ("2606:4700::6", Scope::Internal),
                ("8.8.8.8", Scope::Internal),
                ("8.9.0.1", Scope::External),
                ("10.8.0.1", Scope::Internal),
                ("10.9.0.1", Scope::External),
                ("192.0.0.1", Scope::External),
                ("192.0.2.1", Scope::External),
                ("64:ff9b::808:808", Scope::Internal),
            ],
        );
    }

    #[test]
    fn every_special_range_is_read() {
        for (network, _) in SPECIAL {
            assert!(network.parse::<IpNet>().is_ok(), "{network}");
        }
        let described = scopes(&["10.0.0.1"], &[], &["1.0.0.0/8"]).describe();
        assert_eq!(described[0].networks, ["10.0.0.1/32"]);
        assert_eq!(described[1].from, "--internal-cidr");
    }

    /// The ordered rules, one after the other, as the contract words them.
    fn by_the_book(scopes: &Scopes, ip: Ipv6Addr) -> Scope {
        let address = Ipv6Addr::from(Address(ip.octets()).canonical().0);
        for source in [
            Source::Own,
            Source::External,
            Source::Internal,
            Source::Special,
        ] {
            let of_source = scopes.rules.iter().filter(|rule| rule.source == source);
            if let Some(rule) = of_source
                .filter(|rule| rule.network.contains(&address))
                .max_by_key(|rule| rule.network.prefix_len())
            {
                return rule.scope;
            }
        }
        Scope::External
    }

    fn network() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(ip, len)| {
                IpNet::V4(ipnet::Ipv4Net::new_assert(ip.into(), len)).trunc()
            }),
            (any::<[u8; 16]>(), 0_u8..=128).prop_map(|(ip, len)| IpNet::V6(Ipv6Net::new_assert(
                ip.into(),
                len
            ))
            .trunc()),
        ]
    }

    proptest! {
        #[test]
        fn one_look_up_agrees_with_the_ordered_rules(
            internal in prop::collection::vec(network(), 0..6),
            external in prop::collection::vec(network(), 0..6),
            ip in any::<[u8; 16]>(),
            is_v4 in any::<bool>(),
        ) {
            let scopes = Scopes::new(&[], &Networks { internal: internal.clone(), external });
            let mut addresses = vec![Ipv6Addr::from(ip)];
            if is_v4 {
                addresses.push(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).to_ipv6_mapped());
            }
            addresses.extend(internal.iter().map(|network| mapped(*network).network()));
            for address in addresses {
                prop_assert_eq!(
                    scopes.of(address.into()),
                    by_the_book(&scopes, address),
                    "{}", address
                );
            }
        }
    }
}
