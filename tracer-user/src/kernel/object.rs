//! The kernel object that this binary brings.

use sha2::{Digest as _, Sha256};
use tracer_core::text::hex;

/// The compiled programs.
pub static BYTES: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/conntracer-ebpf"));

/// SHA-256 of the object, hexadecimal.
pub fn sha256() -> String {
    hex(&Sha256::digest(BYTES))
}
