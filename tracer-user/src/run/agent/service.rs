//! What systemd is told. Where there is none, nobody is.

use sd_notify::NotifyState;

use crate::store::Progress;

/// Tells of progress.
pub fn tell(progress: Progress) {
    match progress {
        Progress::Began => notify(&[
            NotifyState::Ready,
            NotifyState::Status("every connection is kept"),
        ]),
        Progress::Alive if sd_notify::watchdog_enabled().is_some() => {
            notify(&[NotifyState::Watchdog]);
        }
        Progress::Alive => {}
        Progress::Ending => notify(&[
            NotifyState::Stopping,
            NotifyState::Status("the rest is being written"),
        ]),
    }
}

/// The configuration is being read again.
pub fn reloading() {
    // Without the time systemd does not know which of several it was.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// It has been read.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Without systemd, or if it does not listen, all goes on as it does.
fn notify(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
