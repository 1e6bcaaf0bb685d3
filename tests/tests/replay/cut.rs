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
    // Every 97th byte meets headers, lengths and middles of entries.
    for len in (0..whole.len()).step_by(97) {
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
    assert_eq!(counts.last(), Some(&(all.len() - 1)), "all but the last");
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
fn an_entry_that_makes_no_sense_is_named() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    let end = bytes.len();
    // The kind of the last entry: a byte, a length of four, a time of eight.
    bytes[end - 13] = b'?';
    let file = scratch.write("odd.rec", &bytes);
    let output = replay(&file, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let place = format!(
        "the entry at byte {} makes no sense: unknown kind 63",
        end - 13
    );
    assert!(said.contains(&place), "{said}");
    assert!(stdout(&output).lines().count() > 10);
}
