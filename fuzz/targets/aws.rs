//! Flow logs of one format: `aws`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer_core::flows::read::Kind;
use tracer_fuzz::flow_log;

fuzz_target!(|data: &[u8]| flow_log(Some(Kind::Aws), data));
