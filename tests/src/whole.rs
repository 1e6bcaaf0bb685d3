//! Runs that saw all there was to see.

use std::process::ExitStatus;

/// Whether a run ended as it should, and nothing is missing but what the kernel skipped: an interrupt that comes while
/// a program runs, and would run it again, does not. Of which namespace that was nobody knows, so it is told in each;
/// what else runs on this machine decides it, and not the run.
#[must_use]
pub fn is_whole(status: ExitStatus, said: &str) -> bool {
    let lost = said.split_once("records were lost: ");
    let what = lost.and_then(|(_, rest)| rest.lines().next());
    let word = what.and_then(|what| what.split_once(' '));
    let is_only_skipped = word.is_some_and(|(_, reason)| reason == "hook_missed");
    status.success() || status.code() == Some(3) && is_only_skipped
}

/// Asserts that.
///
/// # Panics
/// If it is not so.
pub fn assert_whole(status: ExitStatus, said: &str) {
    assert!(is_whole(status, said), "{status:?}: {said}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn what_may_be_missing() {
        let ended = |code: i32, said: &str| is_whole(ExitStatus::from_raw(code << 8), said);
        assert!(ended(0, ""));
        assert!(ended(3, "ERROR records were lost: 1 hook_missed\n"));
        assert!(!ended(
            3,
            "ERROR records were lost: 1 hook_missed, 2 ring_full\n"
        ));
        assert!(!ended(3, "ERROR records were lost: 2 ring_full\n"));
        assert!(!ended(3, "not all that is selected was recorded\n"));
        assert!(!ended(1, "ERROR records were lost: 1 hook_missed\n"));
    }
}
