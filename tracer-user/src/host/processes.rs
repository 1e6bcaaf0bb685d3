//! Processes, as `/proc` shows them.

use std::io::Read as _;

use procfs::process::{Process as ProcProcess, Stat};
use tracer_abi::ARGS_MAX;
use tracer_core::{decode::arguments, fact::Process};

/// Ids of all processes.
pub fn ids() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// All processes, parents before their children as far as their starts tell.
pub fn all() -> Vec<Process> {
    let mut all: Vec<Process> = ids().into_iter().filter_map(read).collect();
    all.sort_by_key(|process| (process.start_ticks, process.pid));
    all
}

/// One process; `None` if it is gone.
pub fn read(pid: u32) -> Option<Process> {
    let process = ProcProcess::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    let (exe, exe_deleted) = exe(&process);
    let (args, args_truncated) = args(&process);
    // Between these reads it may have executed another program, or its id may be another process's.
    let is_same = process
        .stat()
        .is_ok_and(|again| again.starttime == stat.starttime && again.comm == stat.comm);
    is_same.then(|| Process {
        pid,
        start_ticks: stat.starttime,
        parent: u32::try_from(stat.ppid).unwrap_or_default(),
        name: stat.comm.clone(),
        exe,
        exe_deleted,
        args,
        args_truncated,
        tty: terminal(&stat),
    })
}

/// The path of the executable, and whether it has been deleted; empty for a kernel thread.
fn exe(process: &ProcProcess) -> (String, bool) {
    let path = process
        .exe()
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (path, is_deleted) = undeleted(&path);
    (path.to_owned(), is_deleted)
}

/// The path that a link of `/proc` had, and whether what it leads to has been deleted.
pub fn undeleted(link: &str) -> (&str, bool) {
    match link.strip_suffix(" (deleted)") {
        Some(before) => (before, true),
        None => (link, false),
    }
}

/// The arguments, and whether there were more; `None` for a kernel thread.
fn args(process: &ProcProcess) -> (Option<Vec<String>>, bool) {
    let mut bytes = Vec::new();
    let read = process.open_relative("cmdline").ok().and_then(|file| {
        let limit = u64::try_from(ARGS_MAX).unwrap_or(u64::MAX) + 1;
        file.take(limit).read_to_end(&mut bytes).ok()
    });
    match read {
        None | Some(0) => (None, false),
        Some(len) => {
            bytes.truncate(ARGS_MAX);
            (Some(arguments(&bytes)), len > ARGS_MAX)
        }
    }
}

/// The name of the controlling terminal, as the kernel has it (`drivers/tty`).
fn terminal(stat: &Stat) -> String {
    let (major, minor) = stat.tty_nr();
    match (major, minor) {
        (136..=143, minor) => format!("pts{}", (major - 136) * 256 + minor),
        (4, 0..64) => format!("tty{minor}"),
        (4, minor) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".to_owned(),
        _ => String::new(),
    }
}
