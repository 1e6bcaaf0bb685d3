//! What holds for any packets.

use proptest::{collection::vec, prelude::*};

use super::{
    fixtures::{ALL, messages},
    made::set,
    *,
};

#[test]
fn whatever_is_cut_off_is_told() {
    for files in ALL {
        let messages = messages(files);
        for (number, message) in messages.iter().enumerate() {
            for end in 0..message.len() {
                let mut cut = messages.clone();
                cut[number] = &message[..end];
                let _ = (length(cut[number]), recognises(cut[number]));
                let whole = taken(&[cut[number]]);
                assert!(end >= 24 || whole.0.is_empty());
                if cut.len() < 4 && end % 16 == 1 {
                    taken(&cut);
                }
            }
        }
    }
}

/// In any order, templates and data tell the same: but for options, which tell of what comes after them.
#[test]
fn templates_may_come_last() {
    let without_options = ALL.into_iter().filter(|files| files[0] != fixtures::IPFIX);
    for files in without_options {
        let mut messages = messages(files);
        let (flows, problems) = taken(&messages);
        messages.reverse();
        let (mut turned, turned_problems) = taken(&messages);
        assert_eq!(problems, turned_problems);
        let mut flows: Vec<_> = flows.iter().map(told).collect();
        flows.sort();
        turned.sort_by_key(told);
        assert_eq!(flows, turned.iter().map(told).collect::<Vec<_>>());
    }
}

/// Packets of any version, with sets of templates and data in them, of any content.
fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let number = prop_oneof![0_u16..4, 256_u16..259];
    let word = prop_oneof![0_u16..4, 4_u16..40, 256_u16..259, any::<u16>()];
    let content = vec(word, 0..24);
    let content =
        content.prop_map(|words| words.iter().flat_map(|word| word.to_be_bytes()).collect());
    let content = prop_oneof![content, vec(any::<u8>(), 0..64)];
    let sets = vec((number, content), 0..6);
    let packet = (
        prop_oneof![Just(5_u8), Just(9), Just(10)],
        vec(any::<u8>(), 18),
        sets,
    );
    let packet = packet.prop_map(|(version, rest, sets)| {
        let sets: Vec<Vec<u8>> = sets
            .iter()
            .map(|(number, content)| set(*number, content))
            .collect();
        let sets = sets.concat();
        let length = u16::try_from(16 + sets.len()).unwrap();
        let header = [&[0, version][..], &length.to_be_bytes(), &rest[..16]].concat();
        let header = &header[..if version == 10 { 16 } else { 20 }];
        [header, &sets].concat()
    });
    vec(packet, 1..5)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_told(bytes in vec(any::<u8>(), 0..200), version in prop_oneof![Just(5), Just(9), Just(10)]) {
        let (flows, problems) = taken(&[&bytes]);
        prop_assert!(flows.len() * 8 <= bytes.len());
        prop_assert!(!problems.is_empty() || recognises(&bytes) || !flows.is_empty() || bytes.len() >= 16);
        let headed = [&[0, version], &bytes[..]].concat();
        let (flows, _) = taken(&[&headed]);
        prop_assert!(flows.len() * 8 <= headed.len());
        let _ = (length(&bytes), length(&headed), recognises(&headed));
    }

    #[test]
    fn any_sets_are_read_or_told(packets in packets()) {
        let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let size: usize = packets.iter().map(|packet| packet.len()).sum();
        let (flows, problems) = taken(&packets);
        prop_assert!(flows.len() * 8 <= size);
        prop_assert!(problems.len() <= size);
    }

    #[test]
    fn what_is_written_is_read(
        order in Just([8_u16, 12, 7, 11, 4, 1, 2]).prop_shuffle(),
        records in vec((any::<[u8; 4]>(), any::<[u8; 4]>(), any::<[u16; 2]>(), any::<[u32; 2]>()), 1..20),
        is_first in any::<bool>(),
    ) {
        let length = |number: u16| match number { 8 | 12 | 1 | 2 => 4, 4 => 1, _ => 2 };
        let fields = order.iter().flat_map(|number| [*number, length(*number)]);
        let template: Vec<u8> = [256, 7].into_iter().chain(fields).flat_map(u16::to_be_bytes).collect();
        let mut data = Vec::new();
        for (source, destination, ports, amounts) in &records {
            for number in order {
                match number {
                    8 => data.extend(source),
                    12 => data.extend(destination),
                    7 => data.extend(ports[0].to_be_bytes()),
                    11 => data.extend(ports[1].to_be_bytes()),
                    4 => data.push(17),
                    1 => data.extend(amounts[0].to_be_bytes()),
                    _ => data.extend(amounts[1].to_be_bytes()),
                }
            }
        }
        let header = [&[0, 9, 0, 2][..], &[0; 16]].concat();
        let mut sets = [set(0, &template), set(256, &data)];
        if !is_first {
            sets.reverse();
        }
        let (flows, problems) = taken(&[&[header, sets.concat()].concat()]);
        prop_assert_eq!(problems, []);
        prop_assert_eq!(flows.len(), records.len());
        for (flow, (source, destination, ports, amounts)) in flows.iter().zip(records) {
            prop_assert_eq!(flow.source.ip, Some(source.into()));
            prop_assert_eq!(flow.destination.ip, Some(destination.into()));
            prop_assert_eq!([flow.source.port, flow.destination.port], ports.map(Some));
            prop_assert_eq!(flow.bytes, Amount::forward(amounts[0].into()));
            prop_assert_eq!(flow.packets, Amount::forward(amounts[1].into()));
        }
    }
}
