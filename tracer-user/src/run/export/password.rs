//! The password of the account: from a file or the environment, where no list of processes shows it.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use tracing::warn;

use crate::cli::{ServerArgs, UsageError};

const VARIABLE: &str = "CONNTRACER_NEMESIS_PASSWORD";

/// The password.
///
/// # Errors
/// If there is none, or the file cannot be read.
pub fn password(args: &ServerArgs) -> anyhow::Result<String> {
    if let Some(path) = &args.password_file {
        return from_file(path);
    }
    std::env::var(VARIABLE).map_err(|_| {
        let why = format!(
            "the password is missing: --password-file FILE, or {VARIABLE} in the environment"
        );
        UsageError(why).into()
    })
}

fn from_file(path: &Path) -> anyhow::Result<String> {
    let named = || format!("cannot read the password in {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let mode = std::fs::metadata(path)
        .with_context(named)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        warn!("others can read the password in {}", path.display());
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
