//! Recordings that were cut off, and files that are none.

use tracer_tests::scratch::Scratch;

use crate::{
    run::{replay, stderr, stdout},
    story,
};

#[test]
fn a_recording_is_replayed_up_to_the_cut() {
    let scratch = Scratch::new();
    let whole = story::recording();
    let recording = scratch.write("whole.rec", &whole);
    let all = stdout(&replay(&recording, &["-o", "json"]));
    let all: Vec<&str> = all.lines().collect();
    let mut counts = Vec::new();
    // Every 97th byte meets headers, lengths and middles of entries; the last cut is in the last hash.
    for len in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let recording = scratch.write("cut.rec", &whole[..len]);
        let output = replay(&recording, &["-o", "json"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "cut at {len}: {said}");
        assert!(
            said.contains("cut.rec") && !said.contains("panicked"),
            "cut at {len}: {said}"
        );
        let records = stdout(&output);
        let records: Vec<&str> = records.lines().collect();
        assert!(all.starts_with(&records), "cut at {len}");
        counts.push(records.len());
    }
    assert!(counts.is_sorted());
    assert_eq!(counts.last(), Some(&all.len()));
}

#[test]
fn the_place_of_the_cut_is_named() {
    let scratch = Scratch::new();
    let whole = story::recording();
    let recording = scratch.write("cut.rec", &whole[..whole.len() - 3]);
    let said = stderr(&replay(&recording, &[]));
    assert!(
        said.contains("the recording ends in the entry at byte "),
        "{said}"
    );
}

#[test]
fn an_empty_file_is_called_so() {
    let scratch = Scratch::new();
    let file = scratch.write("empty.rec", b"");
    let output = replay(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("empty.rec") && !said.contains("byte 0"),
        "{said}"
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.write("notes.txt", b"connect 10.0.0.1\n");
    let output = replay(&file, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    assert!(
        said.contains("notes.txt: this is not a recording of conntracer"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn another_format_is_named() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    let digit = bytes.iter().position(|byte| *byte == b'2').unwrap();
    bytes[digit] = b'1';
    let file = scratch.write("old.rec", &bytes);
    let output = replay(&file, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    assert!(
        said.contains("old.rec: this recording has format 1, and this conntracer reads format 2"),
        "{said}"
    );
}

/// Bytes of a hash as an entry.
const SEAL: usize = 5 + 32;

#[test]
fn an_entry_that_makes_no_sense_is_named() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    // The kind of the last entry: a byte, a length of four, a time of eight.
    let at = bytes.len() - SEAL - 13;
    bytes[at] = b'?';
    let file = scratch.write("odd.rec", &bytes);
    let output = replay(&file, &["-o", "json", "--no-verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let place = format!("the entry at byte {at} makes no sense: unknown kind 63");
    assert!(said.contains(&place), "{said}");
    assert!(stdout(&output).lines().count() > 10);
}
