//! Recordings that are not what they were when they were written.

use tracer_tests::scratch::Scratch;

use crate::{
    run::{replay, stderr, stdout},
    story,
};

/// Where a text is in a recording, and so many bytes behind its beginning.
fn place_of(text: &str, recording: &[u8]) -> usize {
    let mut windows = recording.windows(text.len());
    windows.position(|bytes| bytes == text.as_bytes()).unwrap()
}

#[test]
fn nothing_is_shown_from_the_first_change_on() {
    let scratch = Scratch::new();
    let whole = story::recording();
    let all = stdout(&replay(
        &scratch.write("whole.rec", &whole),
        &["-o", "json"],
    ));
    let all: Vec<&str> = all.lines().collect();
    let mut counts = Vec::new();
    // Every 211th byte meets headers, kinds, lengths, hashes and what they are of.
    for at in (30..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let recording = scratch.write("changed.rec", &bytes);
        let output = replay(&recording, &["-o", "json"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "byte {at}: {said}");
        assert!(
            said.contains("changed.rec") && !said.contains("panicked"),
            "byte {at}: {said}"
        );
        let records = stdout(&output);
        let records: Vec<&str> = records.lines().collect();
        assert!(all.starts_with(&records), "byte {at}");
        // A length that reaches beyond the end looks like a cut: what comes before it is shown, and
        // called unproven.
        if !said.contains("the recording ends in the entry") {
            counts.push(records.len());
        }
    }
    assert!(counts.is_sorted(), "{counts:?}");
    // There is a hash in the middle of the story, and what it is of was shown.
    assert!(counts.iter().any(|count| *count > 5));
    assert!(*counts.last().unwrap() < all.len());
}

#[test]
fn where_it_was_changed_is_named() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    // A name that was not there: in the last piece of the story.
    let at = place_of("php-fpm8.2", &bytes);
    bytes[at] = b'P';
    let recording = scratch.write("changed.rec", &bytes);
    let output = replay(&recording, &["-o", "json"]);
    let said = stderr(&output);
    let place = said.split_once("what lies between bytes ").unwrap().1;
    let numbers: Vec<usize> = place
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [from, seal, entry, again] = numbers[..] else {
        panic!("{said}");
    };
    assert!(from < at && at < seal && seal == again, "{said}");
    assert!(entry > 1, "{said}");
    assert!(!stdout(&output).contains("php"));
    // Whoever wants to sees it all the same.
    let output = replay(&recording, &["-o", "json", "--no-verify"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stdout(&output).contains("Php-fpm8.2"));
}

#[test]
fn a_header_that_was_changed_is_named() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    let at = place_of("1800000000", &bytes);
    bytes[at] = b'2';
    let recording = scratch.write("changed.rec", &bytes);
    let output = replay(&recording, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    assert!(
        said.contains("the header is not what was recorded"),
        "{said}"
    );
}

#[test]
fn an_entry_taken_out_is_missed() {
    let scratch = Scratch::new();
    let mut bytes = story::recording();
    // The exec frame of the worker: its kind and length stand before its header.
    let inside = place_of("php-fpm8.2", &bytes);
    let is_head = |at: &usize| {
        let len = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap());
        bytes[*at] == b'F' && at + 5 + len as usize > inside && len < 4096
    };
    let start = (0..inside).rev().find(is_head).unwrap();
    let len = u32::from_le_bytes(bytes[start + 1..start + 5].try_into().unwrap());
    bytes.drain(start..start + 5 + len as usize);
    let recording = scratch.write("shorter.rec", &bytes);
    let output = replay(&recording, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("is not what was recorded"),
        "{}",
        stderr(&output)
    );
}
