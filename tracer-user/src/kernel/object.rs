//! The kernel object that this binary brings.

use sha2::{Digest as _, Sha256};

/// The compiled programs.
pub static BYTES: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/conntracer-ebpf"));

/// SHA-256 of the object, hexadecimal.
pub fn sha256() -> String {
    use std::fmt::Write as _;

    Sha256::digest(BYTES)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
