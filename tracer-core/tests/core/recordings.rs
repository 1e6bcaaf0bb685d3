//! A recording says the same however its bytes arrive, and no bytes harm its reader.

use proptest::{collection::vec, prelude::*, sample::Index};
use tracer_core::recording::{
    Entry, Header, MAGIC, ReadError, Reader, Recorded, write_entry, write_header,
};

use crate::{
    facts::{anchor, any_counters, any_fact},
    frames::any_frame,
};

/// All that a reader says of a recording. Entries as they show themselves, for they borrow.
#[derive(Debug, Default, PartialEq)]
struct Said {
    header: Option<Header>,
    entries: Vec<String>,
    error: Option<ReadError>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let mut said = Said::default();
    said.error = read_into(&mut said, pieces).err();
    said
}

/// Reads as a replay does.
fn read_into<'a>(
    said: &mut Said,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), ReadError> {
    let mut reader = Reader::default();
    for piece in pieces {
        reader.feed(piece);
        if said.header.is_none() {
            said.header = reader.header()?;
        }
        if said.header.is_some() {
            while let Some(entry) = reader.entry()? {
                said.entries.push(format!("{entry:?}"));
            }
        }
    }
    reader.finish()
}

/// The bytes in pieces that end at the cuts.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in ends {
        pieces.extend(bytes.get(start..end));
        start = end;
    }
    pieces
}

#[derive(Clone, Debug)]
enum Input {
    Frame(Vec<u8>),
    Other(Entry<'static>),
}

impl Input {
    fn entry(&self) -> Entry<'_> {
        match self {
            Self::Frame(bytes) => Entry::Frame(bytes),
            Self::Other(entry) => entry.clone(),
        }
    }
}

fn input() -> impl Strategy<Value = Input> {
    let other = prop_oneof![
        any_fact().prop_map(|fact| Entry::Fact(Box::new(fact))),
        (any::<u64>(), any_counters()).prop_map(|(time, counters)| Entry::Counters(time, counters)),
        any::<u64>().prop_map(Entry::Start),
        any::<u64>().prop_map(Entry::Stop),
    ];
    prop_oneof![
        any_frame().prop_map(Input::Frame),
        vec(any::<u8>(), 0..20).prop_map(Input::Frame),
        other.prop_map(Input::Other),
    ]
}

fn header() -> impl Strategy<Value = Header> {
    let recorded = prop_oneof![
        Just(Recorded::Everything),
        vec(any::<String>(), 0..3).prop_map(Recorded::Selected),
    ];
    (any::<String>(), recorded, anchor()).prop_map(|(version, selection, clock)| Header {
        version,
        selection,
        clock,
    })
}

fn written(header: &Header, inputs: &[Input]) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_header(header, &mut bytes)?;
    for input in inputs {
        write_entry(&input.entry(), &mut bytes)?;
    }
    Ok(bytes)
}

/// A well-formed recording.
fn recording() -> impl Strategy<Value = Vec<u8>> {
    (header(), vec(input(), 0..8)).prop_filter_map("JSON says it all", |(header, inputs)| {
        written(&header, &inputs).ok()
    })
}

/// Any bytes, behind as much of the beginning of a recording as it takes to be read on.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(any::<u8>(), 0..200);
    let entries = vec(
        ("[FfCSEx]", 0_u32..12, vec(any::<u8>(), 0..12))
            .prop_map(|(kind, len, bytes)| [kind.as_bytes(), &len.to_le_bytes(), &bytes].concat()),
        0..6,
    );
    prop_oneof![
        bytes.clone(),
        bytes.prop_map(|bytes| [MAGIC, &bytes].concat()),
        (recording(), entries).prop_map(|(start, entries)| [start, entries.concat()].concat()),
    ]
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..8)
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_does_not_matter(bytes in any_bytes(), cuts in cuts()) {
        prop_assert_eq!(read(pieces(&bytes, &cuts)), read([bytes.as_slice()]));
    }

    #[test]
    fn a_damaged_recording_says_the_same_in_pieces_and_whole(
        mut bytes in recording(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cuts in cuts(),
    ) {
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        prop_assert_eq!(read(pieces(&bytes, &cuts)), read([bytes.as_slice()]));
        prop_assert_eq!(read(bytes.chunks(1)), read([bytes.as_slice()]));
    }

    #[test]
    fn what_was_written_is_read_back(header in header(), inputs in vec(input(), 0..8)) {
        let bytes = written(&header, &inputs)?;
        let mut reader = Reader::default();
        reader.feed(&bytes);
        prop_assert_eq!(reader.header()?, Some(header));
        for input in &inputs {
            prop_assert_eq!(reader.entry()?, Some(input.entry()));
        }
        prop_assert_eq!(reader.entry()?, None);
        reader.finish()?;
    }

    #[test]
    fn a_recording_that_was_cut_off_is_read_up_to_the_cut(
        header in header(),
        inputs in vec(input(), 1..8),
        cut in any::<Index>(),
    ) {
        let whole = read([written(&header, &inputs)?.as_slice()]);
        let beginning = written(&header, &[])?.len();
        let bytes = written(&header, &inputs)?;
        let end = beginning + cut.index(bytes.len() - beginning);
        let said = read(bytes.get(..end));
        prop_assert!(whole.entries.starts_with(&said.entries));
        prop_assert!(said.entries.len() < whole.entries.len());
        let complete = written(&header, inputs.get(..said.entries.len()).unwrap_or_default())?.len();
        let expected = (complete < end).then_some(ReadError::Truncated { at: complete });
        prop_assert_eq!(said.error, expected);
    }
}
