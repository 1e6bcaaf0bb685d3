//! Tables of accounts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::people;

fuzz_target!(|data: &[u8]| people(data));
