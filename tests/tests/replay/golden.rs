//! Whole outputs, compared with files. `UPDATE_FIXTURES=1` writes the files anew, to be read in the
//! diff.

use std::path::PathBuf;

use tracer_tests::scratch::Scratch;

use crate::{
    run::{replay, stderr, stdout},
    story,
};

fn compare(format: &str) {
    let scratch = Scratch::new();
    let recording = scratch.write("story.rec", &story::recording());
    let output = replay(&recording, &["-o", format]);
    // Records were lost in this story, and said so.
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let got = stdout(&output);
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = fixtures.join(format!("story.{format}"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (line, (got, expected)) in (1..).zip(got.lines().zip(expected.lines())) {
        assert_eq!(got, expected, "line {line} of {}", path.display());
    }
    assert_eq!(got.len(), expected.len());
}

#[test]
fn json() {
    compare("json");
}

#[test]
fn table() {
    compare("table");
}

#[test]
fn wide() {
    compare("wide");
}
