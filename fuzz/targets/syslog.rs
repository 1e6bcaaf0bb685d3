//! Syslog over TCP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_fuzz::syslog;

fuzz_target!(|data: &[u8]| syslog(data));
