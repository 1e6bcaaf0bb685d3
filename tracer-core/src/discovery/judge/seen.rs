//! What speaks for discovery in what the kernel has shown.

use super::{
    Signs, command,
    look::{fits_pattern, pattern},
};
use crate::discovery::{
    Act, Severity,
    act::Sights,
    elements::Linux,
    finding::{Behaviour, Dump},
};

/// What a process did, and what it is called.
pub fn signs(sights: &Sights, act: &Act, elements: &Linux) -> Signs {
    let exe = act.actor.exe.as_deref().unwrap_or_default();
    let mut called = command::names(exe, &sights.args).into_iter();
    let named = called.find(|name| elements.utility_name_list.fit(name));
    let fitting = || pattern(&sights.args, &elements.command_pattern_list);
    let (matched, mut reasons) = if let Some(name) = named {
        let reason = format!("{name} is in UtilityNameList");
        (name, vec![reason])
    } else if let Some(matched) = fitting() {
        let reason = fits_pattern(&matched);
        (matched, vec![reason])
    } else {
        Default::default()
    };
    let behaviours: Vec<Behaviour> = sights.behaviours.iter().copied().collect();
    let told = behaviours.iter().filter_map(|one| sentence(*one, sights));
    reasons.extend(told);
    let mut signs = Signs {
        behaviours,
        matched,
        severity: Severity::Info,
        reasons,
    };
    if sights.behaviours.contains(&Behaviour::SockDestroy) {
        signs.matters(Severity::Medium, "it ends connections of others".to_owned());
    }
    signs
}

/// What it did, in a sentence. That it was executed, its name says.
fn sentence(behaviour: Behaviour, sights: &Sights) -> Option<String> {
    let details = &sights.details;
    Some(match behaviour {
        Behaviour::SockDiagDump if details.dumps.is_empty() => {
            "it opened a socket that lists connections (sock_diag); what it asked was not seen"
                .to_owned()
        }
        Behaviour::SockDiagDump => {
            let dumps: Vec<String> = details.dumps.iter().map(described).collect();
            format!("it had the kernel list {} (sock_diag)", dumps.join(", "))
        }
        Behaviour::ProcNetRead => {
            let files: Vec<&str> = details.files.iter().map(String::as_str).collect();
            format!("it read {} of /proc/net", files.join(", "))
        }
        Behaviour::FdSweep => {
            let count = details.swept.unwrap_or_default();
            format!("it listed the descriptors of {count} other processes or more")
        }
        Behaviour::ConntrackDump => "it listed what netfilter tracks".to_owned(),
        Behaviour::SocketIterator => {
            let names: Vec<&str> = details.iterators.iter().map(String::as_str).collect();
            format!("it listed {} with an iterator of BPF", names.join(", "))
        }
        Behaviour::SockDestroy
        | Behaviour::UtilityExec
        | Behaviour::ScriptQuery
        | Behaviour::ApiQuery => return None,
    })
}

/// What a dump lists.
fn described(dump: &Dump) -> String {
    let words = [dump.protocol.as_deref(), dump.family.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    if words.is_empty() {
        "sockets".to_owned()
    } else {
        words.join(" over ")
    }
}

/// Who hides matters a step more.
pub fn raise(sights: &Sights, signs: &mut Signs) {
    let hides = [
        (
            sights.flags.is_memfd,
            "its executable is in memory only (memfd)",
        ),
        (
            sights.flags.is_deleted && !sights.flags.is_memfd,
            "its executable was deleted",
        ),
        (
            sights.flags.is_unpackaged,
            "its executable is in none of the paths of packages",
        ),
        (
            sights.details.io_uring,
            "it went through io_uring, which hides from system call tracing",
        ),
    ];
    let reasons: Vec<&str> = hides
        .into_iter()
        .filter_map(|(is, why)| is.then_some(why))
        .collect();
    if !reasons.is_empty() {
        signs.raise(reasons.join(", "));
    }
}

/// Whether it says something of connections by itself. Whose descriptors are whose is asked by much that never
/// looks at a connection.
pub fn is_weak(sights: &Sights) -> bool {
    sights
        .behaviours
        .iter()
        .all(|one| *one == Behaviour::FdSweep)
}
