//! Why the kernel refuses a program, in a few words.

use std::{io, path::PathBuf};

use aya::programs::ProgramError;

use crate::kernel::ladder::Hook;

/// Why a program could not be placed, in a few words.
pub fn explain(name: &str, hook: Hook, error: &ProgramError) -> String {
    let is_probe = matches!(hook, Hook::Kprobe(_) | Hook::Kretprobe(_));
    if is_probe && !PathBuf::from("/sys/bus/event_source/devices/kprobe").exists() {
        return "this kernel has no kprobes".to_owned();
    }
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => match io_error.kind() {
            io::ErrorKind::PermissionDenied if verifier_log.to_string().trim().is_empty() => {
                format!("this kernel does not permit {}", kind(hook))
            }
            _ => format!(
                "the kernel refuses {name}: {io_error}: {}",
                last_line(&verifier_log.to_string())
            ),
        },
        ProgramError::Btf(error) => format!("this kernel cannot hook it: {error}"),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
    }
}

fn kind(hook: Hook) -> &'static str {
    match hook {
        Hook::Fentry(_) => "fentry programs",
        Hook::Fexit(..) => "fexit programs",
        Hook::Kprobe(_) | Hook::Kretprobe(_) => "kprobe programs",
        Hook::TpBtf(_) => "tracing programs",
        Hook::Iter(_) => "iterators",
        Hook::SockOps | Hook::Sock | Hook::SockAddr | Hook::SkbEgress | Hook::SkbIngress => {
            "cgroup programs"
        }
    }
}

/// What the verifier complains of stands before its statistics.
fn last_line(log: &str) -> String {
    let is_statistics = |line: &&str| {
        ["processed ", "verification time", "stack depth"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    log.lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .find(|line| !is_statistics(line))
        .unwrap_or_default()
        .to_owned()
}
