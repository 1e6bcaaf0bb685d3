//! What records tell.

use super::{made::*, *};

#[test]
fn times_of_all_clocks() {
    let ntp =
        |seconds: u64, fraction: u64| ((seconds + 2_208_988_800) << 32 | fraction).to_be_bytes();
    let half = [ntp(1_699_999_998, 1 << 31), ntp(1_699_999_999, 3 << 30)].concat();
    let milliseconds = [1_699_999_998_500_u64, 1_699_999_999_750]
        .map(u64::to_be_bytes)
        .concat();
    let expected = "2023-11-14T22:13:18.5Z..2023-11-14T22:13:19.75Z";
    for (numbers, length, values) in [
        ([152, 153], 8, milliseconds),
        ([154, 155], 8, half.clone()),
        ([156, 157], 8, half),
        (
            [158, 159],
            4,
            [1_500_000_u32, 250_000].map(u32::to_be_bytes).concat(),
        ),
    ] {
        let fields = numbers.map(|number| (number, length));
        assert_eq!(times(&ten_of(&fields, &values)), expected, "{numbers:?}");
    }
    let uptimes = [UPTIME - 1_500, UPTIME - 250]
        .map(u32::to_be_bytes)
        .concat();
    let fields = [(22, 4), (21, 4)];
    assert_eq!(times(&nine_of(&fields, &uptimes)), expected);
    // IPFIX does not say how long it is up, but may say since when.
    let init = (u64::from(EXPORTED) * 1_000 - u64::from(UPTIME)).to_be_bytes();
    let values = [&init[..], &uptimes].concat();
    assert_eq!(
        times(&ten_of(&[(160, 8), (22, 4), (21, 4)], &values)),
        expected
    );
    // If it does not, how long it lasted is still told.
    assert_eq!(
        times(&ten_of(&fields, &uptimes)),
        "2023-11-14T22:13:18.75Z..2023-11-14T22:13:20Z"
    );
    let seconds = [EXPORTED - 2, EXPORTED - 1].map(u32::to_be_bytes).concat();
    assert_eq!(
        times(&ten_of(&[(150, 4), (151, 4)], &seconds)),
        "2023-11-14T22:13:18Z..2023-11-14T22:13:19Z"
    );
    assert_eq!(times(&ten_of(&[], &[])), "2023-11-14T22:13:20Z..");
}

#[test]
fn amounts_by_who_tells_them() {
    let numbers = |numbers: &[u32]| {
        numbers
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect::<Vec<_>>()
    };
    let four = |fields: &[u16]| fields.iter().map(|field| (*field, 4)).collect::<Vec<_>>();
    let amounts = |flow: &Flow| (flow.bytes, flow.packets, flow.initiator_known);
    let both = (Amount::both(100, 30), Amount::both(4, 2), false);
    let out = numbers(&[100, 4, 30, 2]);
    assert_eq!(amounts(&nine_of(&four(&[1, 2, 23, 24]), &out)), both);
    // By the registry, it is the same after the device.
    let one = (Amount::forward(100), Amount::forward(4), false);
    assert_eq!(amounts(&ten_of(&four(&[1, 2, 23, 24]), &out)), one);
    assert_eq!(
        amounts(&nine_of(&four(&[23, 24]), &out[..8])),
        (one.0, one.1, false)
    );
    let initiator = nine_of(&four(&[231, 298, 232, 299]), &out);
    assert_eq!(amounts(&initiator), (both.0, both.1, true));
    // Of the responder alone: not its counter, in version 9.
    let alone = nine_of(
        &[(1, 4), (232, 2)],
        &numbers(&[100])[..]
            .iter()
            .copied()
            .chain([0, 9])
            .collect::<Vec<_>>(),
    );
    assert_eq!(alone.bytes, Amount::forward(100));
    let sampled = nine_of(&four(&[1, 2, 34]), &numbers(&[100, 4, 10]));
    assert!(sampled.bytes.estimated && sampled.packets.estimated);
    assert_eq!(
        (sampled.bytes.forward, sampled.packets.forward),
        (Some(1_000), Some(40))
    );
    assert!(
        !nine_of(&four(&[1, 2, 34]), &numbers(&[100, 4, 1]))
            .bytes
            .estimated
    );
}

/// Fields of RFC 5103: the reverse ones are those of enterprise 29305.
#[test]
fn both_ways_in_one_record() {
    let fields = words(&[
        256, 9, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 0x8001, 4, 0, 29305, 0x8002, 4, 0, 29305,
        239, 1,
    ]);
    let told_by = |direction: u8| {
        let values = [&[0, 0, 0, 100, 0, 0, 0, 30, 0, 0, 0, 2][..], &[direction]].concat();
        let sets = [
            set(2, &fields),
            set(256, &record([40_000, 443], 6, &values)),
        ];
        only(&[&ten(0, &sets)])
    };
    let flow = told_by(1);
    assert!(flow.initiator_known);
    assert_eq!(flow.bytes, Amount::both(100, 30));
    assert_eq!(
        (flow.packets.forward, flow.packets.reverse),
        (None, Some(2))
    );
    let turned = told_by(2);
    assert!(turned.initiator_known);
    assert_eq!(
        (turned.source, turned.bytes),
        (flow.destination, Amount::both(30, 100))
    );
    assert!(!told_by(3).initiator_known);
}

#[test]
fn fields_of_variable_length() {
    let user = [(371, 0xffff)];
    let long = [&[255, 1, 44][..], &[b'u'; 300]].concat();
    for (value, expected) in [
        (b"\x05alice".to_vec(), "alice".to_owned()),
        (long, "u".repeat(300)),
    ] {
        assert_eq!(ten_of(&user, &value).source.user, Some(expected));
    }
    let cut = set(256, &record([1, 2], 6, b"\x09alice"));
    let message = ten(0, &[set(2, &template(256, &with(&user))), cut]);
    let (flows, problems) = taken(&[&message]);
    assert_eq!((flows.len(), problems), (0, vec![Reason::BadRecord]));
}

/// Options by RFC 3954, 6.1 (lengths in bytes, scope 1 is the system) and RFC 7011, 3.4.2.2 (counts).
#[test]
fn sampling_that_options_tell() {
    let flow = set(0, &template(256, &with(&[(1, 4), (48, 1)])));
    let options = set(1, &words(&[257, 4, 8, 1, 4, 48, 1, 50, 4, 0]));
    let told = set(257, &[0, 0, 0, 1, 3, 0, 0, 0, 64]);
    let of = |sampler: u8| set(256, &record([1, 2], 17, &[0, 0, 0, 10, sampler]));
    let (flows, problems) = taken(&[&nine(0, &[flow, options, told, of(3), of(4)])]);
    assert_eq!(problems, []);
    assert_eq!(
        (flows[0].bytes.forward, flows[0].bytes.estimated),
        (Some(640), true)
    );
    assert_eq!(
        (flows[1].bytes.forward, flows[1].bytes.estimated),
        (Some(10), false)
    );

    let flow = set(2, &template(256, &with(&[(1, 4)])));
    let options = set(3, &words(&[257, 3, 1, 143, 4, 305, 4, 306, 4]));
    let told = set(257, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 98]);
    let record = set(256, &record([1, 2], 17, &[0, 0, 0, 10]));
    let flow = only(&[&ten(0, &[flow, options, told, record])]);
    assert_eq!(
        (flow.bytes.forward, flow.bytes.estimated),
        (Some(500), true)
    );
}

/// An event of the template for denied flows of Cisco's guide; users of the one for created ones.
#[test]
fn what_a_firewall_denies() {
    let fields = [
        (233, 1),
        (33002, 2),
        (323, 8),
        (33000, 12),
        (33001, 12),
        (40000, 8),
    ];
    let time = 1_699_999_998_500_u64.to_be_bytes();
    let list = |first: u8| [0, 0, 0, first, 0, 0, 0, 2, 0, 0, 0, 0];
    let values = |extended: u16| {
        let extended = extended.to_be_bytes();
        [
            &[3][..],
            &extended,
            &time,
            &list(1),
            &list(9),
            b"alice\0\0\0",
        ]
        .concat()
    };
    let flow = nine_of(&fields, &values(1001));
    assert_eq!(flow.format, Format::CiscoNsel);
    assert_eq!(
        told(&flow),
        "2023-11-14T22:13:18.5Z.. | 192.0.2.10 40000 | 198.51.100.20 443 | tcp | -/-B | -/-P | action denied | \
         reason denied by the ingress access list | rule 0x00000001, 0x00000002 | source user alice"
    );
    let flow = nine_of(&fields, &values(1002));
    assert_eq!(flow.rule.as_deref(), Some("0x00000009, 0x00000002"));
    assert_eq!(flow.device.as_deref(), Some("192.0.2.1"));
}

/// Of ICMP, the port of the destination tells type and code where nothing else does (Cisco's version 5).
#[test]
fn icmp_has_no_ports() {
    for (fields, values, expected) in [
        (&[][..], &[][..], Some((3, 1))),
        (&[(32, 2)], &[8, 0], Some((8, 0))),
        (&[(32, 2)], &[0, 0], Some((3, 1))),
        (&[(176, 1), (177, 1)], &[0, 0], Some((0, 0))),
    ] {
        let sets = [
            set(0, &template(256, &with(fields))),
            set(256, &record([0, 0x0301], 1, values)),
        ];
        let flow = only(&[&nine(0, &sets)]);
        assert_eq!(flow.icmp.map(|icmp| (icmp.kind, icmp.code)), expected);
        assert_eq!((flow.source.port, flow.destination.port), (None, None));
    }
}
