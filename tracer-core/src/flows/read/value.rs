//! Values that several formats write in the same way.

use std::net::IpAddr;

use crate::logs::Unreadable;

/// An address.
///
/// # Errors
/// If it is none.
pub fn address(text: &str) -> Result<IpAddr, Unreadable> {
    text.parse()
        .map_err(|_| Unreadable(format!("no address: `{text}`")))
}
