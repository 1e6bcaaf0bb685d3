//! Which kernels can be traced.

use anyhow::{Context as _, ensure};

/// The oldest one on which all of it is tested.
const OLDEST: (u32, u32) = (5, 10);

/// The first one that may run another task in the midst of a program at a tracepoint.
const PREEMPTIBLE_TRACEPOINTS: (u32, u32) = (6, 19);

/// Fails, in one sentence, on a kernel that is too old.
pub fn check() -> anyhow::Result<()> {
    check_release(&release()?)
}

/// Whether a program at a tracepoint has its CPU for itself until it ends, but for interrupts.
pub fn tracepoints_are_not_preempted() -> bool {
    release().is_ok_and(|release| is_before(&release, PREEMPTIBLE_TRACEPOINTS))
}

fn release() -> anyhow::Result<String> {
    let system = nix::sys::utsname::uname().context("the kernel does not say what it is")?;
    Ok(system.release().to_string_lossy().into_owned())
}

/// One that does not begin with a version is not known to be.
fn is_before(release: &str, first: (u32, u32)) -> bool {
    version(release).is_some_and(|version| version < first)
}

/// `release` is as `uname -r` says, e.g. `6.1.0-56-amd64`. One that does not begin with a version is
/// let through: whatever it cannot do, the hooks will say.
fn check_release(release: &str) -> anyhow::Result<()> {
    let (major, minor) = OLDEST;
    ensure!(
        version(release).is_none_or(|version| version >= OLDEST),
        "this is Linux {release}, and conntracer needs {major}.{minor} or newer"
    );
    Ok(())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_are_named() {
        let why = check_release("4.19.0-27-amd64").unwrap_err().to_string();
        assert_eq!(
            why,
            "this is Linux 4.19.0-27-amd64, and conntracer needs 5.10 or newer"
        );
        assert!(check_release("5.4.0").is_err());
    }

    #[test]
    fn kernels_that_preempt_tracepoints_are_known_by_their_version() {
        let is_older = |release| is_before(release, PREEMPTIBLE_TRACEPOINTS);
        assert!(is_older("6.18.44") && is_older("5.10.0-46-amd64"));
        assert!(!is_older("6.19.0") && !is_older("7.3.4+deb13") && !is_older("next"));
    }

    #[test]
    fn others_are_not() {
        for release in [
            "5.10.0-46-cloud-amd64",
            "5.14.0-el9",
            "6.1",
            "10.0-rc1",
            "next",
        ] {
            assert!(check_release(release).is_ok(), "{release}");
        }
    }
}
