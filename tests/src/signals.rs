//! Signals for the programs under test.

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// Sends a process a signal.
///
/// # Panics
/// If it is gone.
pub fn send(pid: u32, signal: Signal) {
    let sent = kill(of(pid), signal);
    sent.unwrap_or_else(|error| panic!("{pid} does not get {signal}: {error}"));
}

/// Stops a process of ours, and waits until it has stopped.
///
/// # Panics
/// If it is gone.
pub fn halt(pid: u32) {
    send(pid, Signal::SIGSTOP);
    let status = waitpid(of(pid), Some(WaitPidFlag::WUNTRACED));
    assert_eq!(status, Ok(WaitStatus::Stopped(of(pid), Signal::SIGSTOP)));
}

/// Sends a process of ours signals that it finds all at once: while it is stopped they pile up.
///
/// # Panics
/// If it is gone.
pub fn send_at_once(pid: u32, signals: &[Signal]) {
    halt(pid);
    for signal in signals {
        send(pid, *signal);
    }
    send(pid, Signal::SIGCONT);
}

fn of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap_or_default())
}
