//! What a user must be allowed to do.

use std::ffi::OsStr;

use anyhow::bail;
use caps::{CapSet, Capability};
use serde::Serialize;

/// What loading tracing programs takes, since 5.8. `CAP_SYS_ADMIN` includes both.
const NEEDED: [Capability; 2] = [Capability::CAP_BPF, Capability::CAP_PERFMON];
/// What more serves.
const USEFUL: [(Capability, &str); 4] = [
    (
        Capability::CAP_NET_ADMIN,
        "hooks at cgroups, where better ones are refused",
    ),
    (
        Capability::CAP_SYS_PTRACE,
        "executables and namespaces of processes from before the start",
    ),
    (
        Capability::CAP_DAC_READ_SEARCH,
        "files of processes from before the start",
    ),
    (
        Capability::CAP_SYS_RESOURCE,
        "the memory of the ring, before 5.11",
    ),
];

/// A capability, whether it is there, and what it is for.
#[derive(Debug, Serialize)]
pub struct Privilege {
    /// Its name.
    pub name: String,
    /// It is in effect.
    pub held: bool,
    /// It cannot be done without.
    pub needed: bool,
    /// What it is for.
    pub purpose: &'static str,
}

/// All capabilities that matter.
pub fn all() -> Vec<Privilege> {
    let needed = NEEDED.map(|capability| (capability, true, "loading the programs"));
    let useful = USEFUL.map(|(capability, purpose)| (capability, false, purpose));
    needed
        .into_iter()
        .chain(useful)
        .map(|(capability, needed, purpose)| Privilege {
            name: capability.to_string(),
            held: has(capability) || has(Capability::CAP_SYS_ADMIN),
            needed,
            purpose,
        })
        .collect()
}

/// Fails, in one sentence, without what cannot be done without.
pub fn check() -> anyhow::Result<()> {
    let missing: Vec<String> = all()
        .into_iter()
        .filter(|capability| capability.needed && !capability.held)
        .map(|capability| capability.name)
        .collect();
    if !missing.is_empty() {
        let are = if missing.len() == 1 { "is" } else { "are" };
        let command: Vec<String> = std::env::args_os().map(|arg| quoted(&arg)).collect();
        bail!(
            "{} {are} missing, without which no tracing program can be loaded; run `sudo {}`",
            missing.join(" and "),
            command.join(" ")
        );
    }
    Ok(())
}

/// A word as a shell takes it back.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_back() {
        let quote = |word: &str| quoted(OsStr::new(word));
        assert_eq!(quote("--port=443,8000-8100"), "--port=443,8000-8100");
        assert_eq!(quote("kube proxy"), "'kube proxy'");
        assert_eq!(quote("/usr/bin/*"), "'/usr/bin/*'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
