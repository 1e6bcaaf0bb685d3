//! What is kept from packet to packet, and what cannot be read.

use super::{made::*, *};

#[test]
fn templates_change_and_are_withdrawn() {
    let [before, after] = [with(&[(1, 4)]), with(&[(2, 4)])].map(|fields| template(256, &fields));
    let data = || set(256, &record([1, 2], 6, &[0, 0, 0, 5]));
    let (flows, problems) = taken(&[
        &ten(0, &[set(2, &before), data()]),
        &ten(1, &[set(2, &after), data()]),
        // Of this template; then of all.
        &ten(2, &[set(2, &words(&[256, 0])), data()]),
        &ten(3, &[set(2, &after), set(2, &words(&[2, 0])), data()]),
    ]);
    let amounts: Vec<_> = flows
        .iter()
        .map(|flow| (flow.bytes.sum(), flow.packets.sum()))
        .collect();
    // What came after it was withdrawn waited, and was read when it was told again.
    assert_eq!(amounts, [(Some(5), None), (None, Some(5)), (None, Some(5))]);
    assert_eq!(problems, [Reason::NoTemplate]);
}

#[test]
fn what_waits_is_read_with_its_own_times_or_told() {
    let data = set(256, &record([1, 2], 6, &(UPTIME - 1_000).to_be_bytes()));
    let mut first = nine(0, std::slice::from_ref(&data));
    first[8..12].copy_from_slice(&(EXPORTED - 600).to_be_bytes());
    let told = nine(1, &[set(0, &template(256, &with(&[(22, 4)])))]);
    assert_eq!(times(&only(&[&first, &told])), "2023-11-14T22:03:19Z..");

    let mut exporters = Exporters::default();
    let taken = all(&mut exporters, &[&first, &first]);
    assert_eq!(taken.problems.len(), 1);
    assert_eq!(
        taken.problems[0].detail,
        "template 256 of domain 7 of Netflow9 of 192.0.2.1:2055: 2 sets, 34 bytes"
    );
    // Another exporter's template is not this one's; and there is not room for all to wait.
    let limits = Limits {
        exporters: 1,
        waiting: 300,
        ..Limits::default()
    };
    let mut exporters = Exporters::new(limits);
    let mut taken = Taken::default();
    for number in 1..=5 {
        exporters.take(&first, &from(number), &mut taken);
    }
    let other = Packet {
        exporter: Some("192.0.2.1:2056".into()),
        ..from(6)
    };
    exporters.take(&told, &other, &mut taken);
    exporters.end(&mut taken);
    let count = |reason| {
        taken
            .problems
            .iter()
            .filter(|problem| problem.reason == reason)
            .count()
    };
    assert_eq!(taken.flows, []);
    assert!(count(Reason::WaitingDropped) > 1);
    assert_eq!(
        (count(Reason::Forgotten), count(Reason::NoTemplate)),
        (1, 0)
    );
}

#[test]
fn what_is_limited_is_told() {
    let limits = Limits {
        templates: 1,
        fields: 5,
        domains: 1,
        ..Limits::default()
    };
    let mut exporters = Exporters::new(limits);
    let one = |number| set(0, &template(number, &TUPLE));
    let large = set(0, &template(258, &with(&[(1, 4)])));
    let mut other = nine(1, &[one(256)]);
    other[19] = 8;
    let messages = [nine(0, &[one(256), one(257), large]), other];
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let taken = all(&mut exporters, &messages);
    let reasons: Vec<_> = taken
        .problems
        .iter()
        .map(|problem| problem.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            Reason::TooManyTemplates,
            Reason::TooManyTemplates,
            Reason::Forgotten
        ]
    );
    assert_eq!(exporters.standing().count(), 1);
}

#[test]
fn what_cannot_be_read_is_told() {
    let plain = set(0, &template(256, &TUPLE));
    let mac = set(0, &template(256, &[(56, 6), (80, 6)]));
    let v5 = |count: u8, length: usize| {
        let mut packet = vec![0; length];
        packet[1] = 5;
        packet[3] = count;
        packet
    };
    let mut truncated = ten(
        0,
        &[
            set(2, &template(256, &TUPLE)),
            set(256, &record([1, 2], 6, &[])),
        ],
    );
    truncated.pop();
    for (packet, flows, reasons) in [
        (vec![], 0, vec![Reason::Truncated]),
        (vec![0], 0, vec![Reason::Truncated]),
        (vec![0, 8, 0, 0], 0, vec![Reason::UnknownVersion]),
        (vec![0, 9, 0, 0], 0, vec![Reason::Truncated]),
        (vec![0, 10, 0, 3], 0, vec![Reason::Truncated]),
        (v5(2, 24 + 48), 1, vec![Reason::CountMismatch]),
        (v5(1, 24 + 96), 1, vec![Reason::TrailingZeros]),
        (
            nine(0, &[mac, set(256, &[1; 12])]),
            0,
            vec![Reason::NotFlow],
        ),
        (
            nine(0, &[plain.clone(), set(256, &[1; 17])]),
            1,
            vec![Reason::BadRecord],
        ),
        // Padding to a border of four.
        (nine(0, &[plain.clone(), set(256, &[1; 16])]), 1, vec![]),
        (
            nine(0, &[plain.clone(), set(100, &[1; 8])]),
            0,
            vec![Reason::BadSet],
        ),
        (
            nine(0, &[plain.clone(), vec![1, 0, 0, 99, 1]]),
            0,
            vec![Reason::BadSet],
        ),
        (
            nine(0, &[plain, vec![0; 30]]),
            0,
            vec![Reason::TrailingZeros],
        ),
        (
            nine(0, &[set(0, &template(256, &[(8, 0)]))]),
            0,
            vec![Reason::BadTemplate],
        ),
        (
            nine(0, &[set(0, &template(255, &TUPLE))]),
            0,
            vec![Reason::BadTemplate],
        ),
        (truncated, 0, vec![Reason::Truncated, Reason::BadSet]),
    ] {
        let (found, problems) = taken(&[&packet]);
        assert_eq!((found.len(), problems), (flows, reasons), "{packet:?}");
    }
}

#[test]
fn numbers_tell_what_was_missed() {
    let mut exporters = Exporters::default();
    let numbers = [4_294_967_294, 4_294_967_295, 0, 3, 1, 4, 0];
    let mut messages: Vec<_> = numbers.iter().map(|number| nine(*number, &[])).collect();
    // It was started again.
    messages[6][4..8].copy_from_slice(&[0; 4]);
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    all(&mut exporters, &messages);
    let standing = exporters.standing().next().unwrap();
    assert_eq!((standing.missed, standing.late, standing.resets), (2, 1, 1));
    assert_eq!(standing.packets, 7);
}

#[test]
fn other_packets_are_not_recognised() {
    assert!(recognises(&nine(0, &[set(0, &template(256, &TUPLE))])));
    assert!(recognises(&ten(0, &[set(2, &template(256, &TUPLE))])));
    for other in [
        &b""[..],
        b"\0\x09",
        b"\0\x05\0\0",
        &[0; 200],
        &nine(0, &[]),
        b"{\"a\": 1}",
    ] {
        assert!(!recognises(other), "{other:?}");
    }
    assert_eq!(length(&ten(0, &[])), Some(16));
    assert_eq!(length(&ten(0, &[])[..15]), None);
    assert_eq!(length(&nine(0, &[vec![1, 0, 0, 99, 1]])), None);
}
