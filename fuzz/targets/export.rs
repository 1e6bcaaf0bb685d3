//! Packets of NetFlow and IPFIX.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::export;

fuzz_target!(|data: &[u8]| export(data));
