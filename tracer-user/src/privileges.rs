//! What a user must be allowed to do.

use anyhow::bail;
use caps::{CapSet, Capability};

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
pub struct Held {
    /// Its name.
    pub name: String,
    /// It is in effect.
    pub is_held: bool,
    /// It cannot be done without.
    pub is_needed: bool,
    /// What it is for.
    pub purpose: &'static str,
}

/// All capabilities that matter.
pub fn held() -> Vec<Held> {
    let needed = NEEDED.map(|capability| (capability, true, "loading the programs"));
    let useful = USEFUL.map(|(capability, purpose)| (capability, false, purpose));
    needed
        .into_iter()
        .chain(useful)
        .map(|(capability, is_needed, purpose)| Held {
            name: capability.to_string(),
            is_held: has(capability) || has(Capability::CAP_SYS_ADMIN),
            is_needed,
            purpose,
        })
        .collect()
}

/// Fails, in one sentence, without what cannot be done without.
pub fn check() -> anyhow::Result<()> {
    let missing: Vec<String> = held()
        .into_iter()
        .filter(|held| held.is_needed && !held.is_held)
        .map(|held| held.name)
        .collect();
    if !missing.is_empty() {
        let command: Vec<String> = std::env::args().collect();
        bail!(
            "{} is missing, without which no tracing program can be loaded; run `sudo {}`",
            missing.join(" and "),
            command.join(" ")
        );
    }
    Ok(())
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}
