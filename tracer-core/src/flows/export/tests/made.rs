//! Packets that are made by hand, by the layouts of RFC 3954, 5 and 6, and RFC 7011, 3.

use super::*;

/// When they are sent: 2023-11-14T22:13:20Z.
pub(super) const EXPORTED: u32 = 1_700_000_000;
/// How long the exporter is up then, in milliseconds.
pub(super) const UPTIME: u32 = 100_000;
pub(super) const SOURCE: [u8; 4] = [192, 0, 2, 10];
pub(super) const DESTINATION: [u8; 4] = [198, 51, 100, 20];
/// Addresses, ports and protocol, which all records here have.
pub(super) const TUPLE: [(u16, u16); 5] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1)];

/// A message of version 9.
pub(super) fn nine(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let header = [
        &[0, 9, 0, 1][..],
        &UPTIME.to_be_bytes(),
        &EXPORTED.to_be_bytes(),
        &sequence.to_be_bytes(),
        &7_u32.to_be_bytes(),
    ];
    [header.concat(), sets.concat()].concat()
}

/// A message of IPFIX.
pub(super) fn ten(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let length = u16::try_from(16 + sets.len()).unwrap();
    let header = [
        &[0, 10][..],
        &length.to_be_bytes(),
        &EXPORTED.to_be_bytes(),
        &sequence.to_be_bytes(),
        &7_u32.to_be_bytes(),
    ];
    [header.concat(), sets].concat()
}

pub(super) fn set(number: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + content.len()).unwrap();
    [&number.to_be_bytes()[..], &length.to_be_bytes(), content].concat()
}

/// A template: number, count, fields of number and length.
pub(super) fn template(number: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let count = u16::try_from(fields.len()).unwrap();
    let fields = fields.iter().flat_map(|(field, length)| [*field, *length]);
    words(
        &[number, count]
            .into_iter()
            .chain(fields)
            .collect::<Vec<_>>(),
    )
}

pub(super) fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The values of [`TUPLE`], and others.
pub(super) fn record(ports: [u16; 2], protocol: u8, others: &[u8]) -> Vec<u8> {
    let [source, destination] = ports.map(u16::to_be_bytes);
    [
        &SOURCE[..],
        &DESTINATION,
        &source,
        &destination,
        &[protocol],
        others,
    ]
    .concat()
}

pub(super) fn with(fields: &[(u16, u16)]) -> Vec<(u16, u16)> {
    [&TUPLE[..], fields].concat()
}

/// The only flow of one record of TCP of version 9.
pub(super) fn nine_of(fields: &[(u16, u16)], values: &[u8]) -> Flow {
    let sets = [
        set(0, &template(256, &with(fields))),
        set(256, &record([40_000, 443], 6, values)),
    ];
    only(&[&nine(0, &sets)])
}

/// Likewise of IPFIX.
pub(super) fn ten_of(fields: &[(u16, u16)], values: &[u8]) -> Flow {
    let sets = [
        set(2, &template(256, &with(fields))),
        set(256, &record([40_000, 443], 6, values)),
    ];
    only(&[&ten(0, &sets)])
}

pub(super) fn only(messages: &[&[u8]]) -> Flow {
    let (mut flows, problems) = taken(messages);
    assert_eq!((flows.len(), problems), (1, vec![]));
    flows.remove(0)
}

pub(super) fn times(flow: &Flow) -> String {
    told(flow).split(" | ").next().unwrap().to_owned()
}
