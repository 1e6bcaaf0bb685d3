//! Databases of addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::geo;

fuzz_target!(|data: &[u8]| geo(data));
