//! What a cross-check of a network namespace says.

use serde_json::Value;

use crate::{netns::Netns, record::Record, rootkit::Rootkit, tracer::Finished};

/// Whether the kernel has all of `sock_diag` in its memory; where a part is missing that is said, and
/// nothing is loaded.
///
/// # Panics
/// If a module is said to be missing that is loaded.
pub fn has_sock_diag(finished: &Finished) -> bool {
    let modules = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let degraded = finished.records[0].at("degraded").as_array();
    let about = |module: &str| {
        let is_about = |sentence: &Value| {
            let sentence = sentence.as_str().unwrap_or_default();
            sentence.starts_with("cross-check: ") && sentence.contains(module)
        };
        let is_missing = degraded.is_some_and(|all| all.iter().any(is_about));
        assert!(!is_missing || !modules.contains(module), "{degraded:?}");
        is_missing
    };
    ![about("tcp_diag"), about("udp_diag")].contains(&true)
}

/// A cross-check of a namespace, under a rootkit.
///
/// # Panics
/// If it cannot be run, or something is not compared.
#[must_use]
pub fn cross_check(netns: &Netns, rootkit: Rootkit, flags: &[&str]) -> Finished {
    let inode = netns.inode().to_string();
    let mut args = vec!["snapshot", "--cross-check", "-o", "json", "--netns", &inode];
    args.extend(flags);
    let finished = rootkit.run(&args);
    finished.assert_totals_add_up();
    assert_eq!(
        finished.stop().at("cross_check.not_compared"),
        &Value::Null,
        "{}",
        finished.stderr
    );
    finished
}

/// The names of those from whom a socket is hidden.
pub fn hidden_from(record: &Record) -> Vec<&str> {
    let names = record.at("hidden_from").as_array();
    let names = names.into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}
