//! Packets of sFlow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::sflow;

fuzz_target!(|data: &[u8]| sflow(data));
