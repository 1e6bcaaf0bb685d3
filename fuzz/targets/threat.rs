//! Feeds of indicators.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::threat;

fuzz_target!(|data: &[u8]| threat(data));
