//! A flow log of which nobody says what it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::flow_log;

fuzz_target!(|data: &[u8]| flow_log(None, data));
