//! Text that goes to stdout as it is.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

/// Writes it. That nobody reads any more is no failure.
pub fn put(text: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}
