//! Whether something goes on that goes on by itself.

use std::time::{Duration, Instant};

/// What was not heard of for longer stands still. systemd is as patient (`WatchdogSec`).
const PATIENCE: Duration = Duration::from_mins(1);
/// The same until it was heard of first: loading takes a while on a slow machine.
const FIRST_PATIENCE: Duration = Duration::from_mins(2);

/// When something was heard of last.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    at: Instant,
    patience: Duration,
}

impl Beat {
    /// Of something that is yet to begin.
    pub fn expected(now: Instant) -> Self {
        Self {
            at: now,
            patience: FIRST_PATIENCE,
        }
    }

    /// Of something that was heard of then.
    pub fn heard(at: Instant) -> Self {
        Self {
            at,
            patience: PATIENCE,
        }
    }

    /// For how long it has stood still, if it does.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = now.saturating_duration_since(self.at);
        (silence > self.patience).then_some(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_heard_of_any_more_stands_still() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let beat = Beat::heard(start);
        assert_eq!(beat.silence(after(60)), None);
        assert_eq!(beat.silence(after(61)), Some(Duration::from_secs(61)));
        let beat = Beat::expected(start);
        assert_eq!(beat.silence(after(120)), None);
        assert_eq!(beat.silence(after(121)), Some(Duration::from_secs(121)));
        assert_eq!(Beat::heard(after(9)).silence(start), None, "it came since");
    }
}
