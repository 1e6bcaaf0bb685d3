//! Records as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::record;

fuzz_target!(|data: &[u8]| record(data));
