//! Datagrams of sFlow, made by hand by the structures of <https://sflow.org/sflow_version_5.txt>.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::flows::export::sflow::{Agents, recognises};

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// A datagram of agent 192.0.2.9, with samples of a kind each.
fn datagram(samples: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).unwrap();
    let header = numbers(&[5, 1, 0xc000_0209, 0, 77, 1_000, count]);
    [header, parts(samples)].concat()
}

fn parts(parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let part = |(kind, content): &(u32, Vec<u8>)| {
        [
            numbers(&[*kind, u32::try_from(content.len()).unwrap()]),
            content.clone(),
        ]
        .concat()
    };
    parts.iter().flat_map(part).collect()
}

/// A sample of one in a hundred, that came in at 3 and went out at 4.
fn sample(records: &[(u32, Vec<u8>)]) -> (u32, Vec<u8>) {
    let count = u32::try_from(records.len()).unwrap();
    let head = numbers(&[1, 3, 100, 1_000, 0, 3, 4, count]);
    (1, [head, parts(records)].concat())
}

/// A frame of 1514 bytes, of which the first are here.
fn raw(protocol: u32, header: &[u8]) -> (u32, Vec<u8>) {
    let length = u32::try_from(header.len()).unwrap();
    let filled = vec![0; header.len().next_multiple_of(4) - header.len()];
    (
        1,
        [
            numbers(&[protocol, 1514, 4, length]),
            header.to_vec(),
            filled,
        ]
        .concat(),
    )
}

/// Ethernet with a tag, IPv4 without options, and what it carries.
fn tagged_4(protocol: u8, offset: u16, carried: &[u8]) -> Vec<u8> {
    let ethernet = [&[2; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let [high, low] = offset.to_be_bytes();
    let ip = [
        0x45, 0, 5, 0xdc, 0, 1, high, low, 64, protocol, 0, 0, 192, 0, 2, 10, 198, 51, 100, 20,
    ];
    [&ethernet[..], &ip, carried].concat()
}

fn read(datagram: &[u8]) -> (Agents, Vec<String>, Vec<Reason>) {
    let mut agents = Agents::default();
    let mut taken = Taken::default();
    let received = "2023-11-14T22:13:20Z".parse().unwrap();
    agents.take(datagram, &from(1), received, &mut taken);
    let flows = taken.flows.iter().map(|flow| {
        assert_eq!(flow.device.as_deref(), Some("192.0.2.9"));
        assert_eq!(flow.format, Format::Sflow);
        told(flow)
    });
    let reasons = taken.problems.iter().map(|problem| problem.reason);
    (agents, flows.collect(), reasons.collect())
}

#[test]
fn sampled_packets() {
    let tcp = [
        0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 0, 0,
    ];
    let later = tagged_4(17, 2, &[1, 2, 3, 4]);
    // IPv6 with a header hop by hop, and UDP.
    let six = [
        &[0x60, 0, 0, 0, 0, 16, 0, 64][..],
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[17, 0, 1, 4, 0, 0, 0, 0],
        &[0x13, 0x88, 0, 53, 0, 8, 0, 0],
    ]
    .concat();
    let sampled_4 = (3, numbers(&[60, 1, 0xc000_020a, 0xc633_6414, 0, 0, 0, 0]));
    let switch = || (1001, numbers(&[5, 0, 6, 0]));
    let samples = [
        sample(&[switch(), raw(1, &tagged_4(6, 0, &tcp))]),
        sample(&[raw(1, &later)]),
        sample(&[raw(12, &six)]),
        sample(&[sampled_4]),
        sample(&[raw(11, &tagged_4(1, 0, &[8, 0])[18..])]),
        // Counters, and a packet of ARP.
        (2, numbers(&[1, 3, 0])),
        sample(&[raw(1, &[&[2; 12][..], &[8, 6], &[0; 28]].concat())]),
    ];
    let datagram = datagram(&samples);
    assert!(recognises(&datagram) && !super::super::recognises(&datagram));
    let (agents, flows, reasons) = read(&datagram);
    assert_eq!(
        flows,
        [
            "2023-11-14T22:13:20Z.. | 192.0.2.10 40000 | 198.51.100.20 443 | tcp | ~151400/-B | ~100/-P | \
             flags [SYN,ACK] | ingress {interface:3} | egress {interface:4}",
            "2023-11-14T22:13:20Z.. | 192.0.2.10 | 198.51.100.20 | udp | ~151400/-B | ~100/-P | \
             ingress {interface:3} | egress {interface:4}",
            "2023-11-14T22:13:20Z.. | 2001:db8::1 5000 | 2001:db8::2 53 | udp | ~151400/-B | ~100/-P | \
             ingress {interface:3} | egress {interface:4}",
            "2023-11-14T22:13:20Z.. | 192.0.2.10 | 198.51.100.20 | icmp | ~6000/-B | ~100/-P | \
             ingress {interface:3} | egress {interface:4}",
            "2023-11-14T22:13:20Z.. | 192.0.2.10 | 198.51.100.20 | icmp | ~151400/-B | ~100/-P | \
             icmp {code:0,type:8} | ingress {interface:3} | egress {interface:4}",
        ]
    );
    assert_eq!(reasons, [Reason::NotFlow]);
    let counts = [
        agents.packets,
        agents.flows,
        agents.counters,
        agents.others,
        agents.unknown,
    ];
    assert_eq!(counts, [1, 5, 1, 1, 0]);
}

#[test]
fn samples_of_large_numbers() {
    let record = raw(1, &tagged_4(6, 0, &[]));
    let head = |records| numbers(&[1, 0, 3, 1, 1_000, 0, 0, 70_000, 1, 9, records]);
    let (_, flows, _) = read(&datagram(&[(3, [head(1), parts(&[record])].concat())]));
    assert_eq!(
        flows,
        [
            "2023-11-14T22:13:20Z.. | 192.0.2.10 | 198.51.100.20 | tcp | 1514/-B | 1/-P | ingress {interface:70000}"
        ]
    );
    let (agents, _, reasons) = read(&datagram(&[(3, head(u32::MAX)), (4_096, vec![])]));
    assert_eq!((agents.others, agents.unknown), (1, 1));
    assert_eq!(reasons, [Reason::NotFlow; 2]);
}

#[test]
fn what_is_cut_off_is_told() {
    let whole = datagram(&[sample(&[raw(1, &tagged_4(6, 0, &[0; 20]))]), (2, vec![])]);
    for end in 0..whole.len() {
        let (_, _, reasons) = read(&whole[..end]);
        assert!(reasons.contains(&Reason::Truncated), "{end}");
    }
    let (_, flows, reasons) = read(&[&whole[..], &[0; 4]].concat());
    assert_eq!((flows.len(), reasons), (1, vec![Reason::TrailingZeros]));
    let (_, _, reasons) = read(&datagram(&[(1, vec![0; 3])]));
    assert_eq!(reasons, [Reason::BadRecord]);
}

proptest! {
    #[test]
    fn any_samples_are_read_or_told(
        frame in vec(any::<u8>(), 0..80),
        kind in 0_u32..13,
        record in vec(any::<u8>(), 0..60),
    ) {
        let frame = [&[0x45][..], &frame].concat();
        let six = [&[0x60][..], &frame].concat();
        let samples = [
            sample(&[raw(kind, &frame)]),
            sample(&[raw(12, &six)]),
            sample(&[(kind, record.clone())]),
            (kind, record),
        ];
        let (agents, flows, _) = read(&datagram(&samples));
        prop_assert_eq!(agents.flows, flows.len() as u64);
        prop_assert!(flows.len() <= 4);
    }
}

#[test]
fn packets_that_are_missed_are_counted() {
    for (numbers, missed) in [
        (&[7, 8, 8, 11, 10][..], 2),
        (&[u32::MAX, 1], 1),
        // It was restarted.
        (&[90_000, 1, 2], 0),
    ] {
        let mut agents = Agents::default();
        let mut packet = datagram(&[]);
        for number in numbers {
            packet[16..20].copy_from_slice(&number.to_be_bytes());
            let taken = &mut Taken::default();
            agents.take(
                &packet,
                &Packet::default(),
                jiff::Timestamp::UNIX_EPOCH,
                taken,
            );
        }
        let standing: Vec<_> = agents
            .standing()
            .map(|one| (one.packets, one.missed))
            .collect();
        assert_eq!(standing, [(numbers.len() as u64, missed)]);
    }
}
