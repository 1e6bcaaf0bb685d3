//! Runs of a pipeline.

use tracer_core::{
    clock::Anchor, decode::decode, pipeline::Pipeline, record::Record, select::Selection,
};

/// When they start, nanoseconds since a boot that was with 1970.
pub const START_NS: u64 = 1;

/// One that has started, and the records that it gave.
pub fn started(selection: Selection) -> (Pipeline, Vec<Record>) {
    let anchor = Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    };
    let mut pipeline = Pipeline::new(selection, false, anchor);
    let mut records = Vec::new();
    pipeline.start(START_NS, &mut records);
    (pipeline, records)
}

/// The same, and what it made of frames.
pub fn run(selection: Selection, frames: &[Vec<u8>]) -> (Pipeline, Vec<Record>) {
    let (mut pipeline, mut records) = started(selection);
    for frame in frames {
        let frame = decode(frame).unwrap_or_else(|error| panic!("{error}"));
        pipeline.frame(frame, &mut records);
    }
    (pipeline, records)
}
