//! Logs in which discovery is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::discovery;

fuzz_target!(|data: &[u8]| discovery(data));
