//! Recordings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::recording;

fuzz_target!(|data: &[u8]| recording(data));
