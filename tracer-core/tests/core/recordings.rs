//! A recording says the same however its bytes arrive, and no bytes harm its reader.

use proptest::{collection::vec, prelude::*, sample::Index};
use tracer_core::recording::{Entry, Header, MAGIC, ReadError, Reader, Recorded, Writer};

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
        read_entries(said, &mut reader)?;
    }
    reader.end();
    read_entries(said, &mut reader)?;
    reader.finish()
}

fn read_entries(said: &mut Said, reader: &mut Reader) -> Result<(), ReadError> {
    if said.header.is_some() {
        while let Some(entry) = reader.entry()? {
            said.entries.push(format!("{entry:?}"));
        }
    }
    Ok(())
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

/// A recording in pieces of `piece` entries, each with its hash.
fn written(header: &Header, inputs: &[Input], piece: usize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(header, &mut bytes)?;
    for inputs in inputs.chunks(piece) {
        for input in inputs {
            writer.entry(&input.entry(), &mut bytes)?;
        }
        writer.seal(&mut bytes);
    }
    Ok(bytes)
}

/// A well-formed recording.
fn recording() -> impl Strategy<Value = Vec<u8>> {
    (header(), vec(input(), 0..8), 1_usize..4)
        .prop_filter_map("JSON says it all", |(header, inputs, piece)| {
            written(&header, &inputs, piece).ok()
        })
}

/// Any bytes, behind as much of the beginning of a recording as it takes to be read on.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(any::<u8>(), 0..200);
    let entries = vec(
        ("[FfCSEx#]", 0_u32..12, vec(any::<u8>(), 0..12))
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
    fn what_was_written_is_read_back(
        header in header(),
        inputs in vec(input(), 0..8),
        piece in 1_usize..4,
        is_trusting in any::<bool>(),
    ) {
        let bytes = written(&header, &inputs, piece)?;
        let mut reader = if is_trusting {
            Reader::trusting()
        } else {
            Reader::default()
        };
        reader.feed(&bytes);
        prop_assert_eq!(reader.header()?, Some(header));
        for input in &inputs {
            prop_assert_eq!(reader.entry()?, Some(input.entry()));
        }
        prop_assert_eq!(reader.entry()?, None);
        reader.finish()?;
    }

    #[test]
    fn no_byte_can_be_changed(
        header in header(),
        inputs in vec(input(), 0..8),
        piece in 1_usize..4,
        at in any::<Index>(),
        change in 1_u8..,
    ) {
        let mut bytes = written(&header, &inputs, piece)?;
        let whole = read([bytes.as_slice()]);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let said = read([bytes.as_slice()]);
        prop_assert!(said.error.is_some());
        prop_assert!(said.header.is_none() || said.header == whole.header || said.entries.is_empty());
        // A length that was changed may leave the end of the recording without a hash, so what was
        // changed may be shown with it, as the end of one that was cut off; it is said from where on
        // nothing is proven.
        let unproven = match said.error {
            Some(
                ReadError::Truncated { from, .. }
                | ReadError::Unsealed { from }
                | ReadError::BadEntry { from, .. },
            ) => from,
            _ => bytes.len(),
        };
        prop_assert!(unproven <= at || whole.entries.starts_with(&said.entries));
    }

    #[test]
    fn no_two_pieces_can_change_places(header in header(), inputs in vec(input(), 3..8)) {
        let parts = (0..=3).map(|count| written(&header, inputs.get(..count).unwrap_or_default(), 1));
        let ends: Vec<usize> = parts.map(|part| Ok(part?.len())).collect::<serde_json::Result<_>>()?;
        let bytes = written(&header, &inputs, 1)?;
        let part = |of: usize| bytes.get(ends[of]..ends[of + 1]).unwrap_or_default();
        let rest = bytes.get(ends[3]..).unwrap_or_default();
        let beginning = bytes.get(..ends[1]).unwrap_or_default();
        let swapped = [beginning, part(2), part(1), rest].concat();
        let said = read([swapped.as_slice()]);
        let is_told = matches!(said.error, Some(ReadError::Changed { from, entry: 2, .. }) if from == ends[1]);
        prop_assert!(is_told, "{:?}", said.error);
        prop_assert_eq!(said.entries.len(), 1);
    }

    #[test]
    fn a_recording_that_was_cut_off_is_read_up_to_the_cut(
        header in header(),
        inputs in vec(input(), 1..8),
        piece in 1_usize..4,
        cut in any::<Index>(),
    ) {
        let bytes = written(&header, &inputs, piece)?;
        let whole = read([bytes.as_slice()]);
        let beginning = written(&header, &[], 1)?.len();
        let end = beginning + cut.index(bytes.len() - beginning);
        let said = read(bytes.get(..end));
        prop_assert!(whole.entries.starts_with(&said.entries));
        prop_assert_eq!(whole.error, None);
        // Where a recording of so many pieces ends.
        let end_of = |pieces: usize| {
            let inputs = inputs.get(..pieces * piece).unwrap_or(&inputs);
            written(&header, inputs, piece).map(|bytes| bytes.len())
        };
        let count = said.entries.len();
        match said.error {
            None => prop_assert_eq!(end, end_of(count.div_ceil(piece))?),
            Some(ReadError::Unsealed { from }) => {
                prop_assert_eq!(from, end_of((count - 1) / piece)?);
            }
            Some(ReadError::Truncated { at, from }) => {
                prop_assert!(from <= at && at < end);
                // Up to there it says the same.
                let shorter = read(bytes.get(..at));
                prop_assert_eq!(shorter.entries.len(), count);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
