//! What one process does while it runs one program, until it is told.

use std::collections::BTreeSet;

use tracer_abi::{Glance, Identity, LookFrame, look_flag, tcp};

use crate::{
    discovery::finding::{Behaviour, Details, Dump},
    fields::state_name,
    text::lossy,
};

/// How long nothing new is done before what was done is told, if the process goes on.
const QUIET_NS: u64 = 1_000_000_000;
/// How often at most what is done again is told.
const AGAIN_NS: u64 = 60_000_000_000;
/// What lies further apart is not done at once.
const AT_ONCE_NS: u64 = 2_000_000_000;

/// What one process does.
#[derive(Debug, Default)]
pub struct Run {
    /// Who does it, as it was last.
    pub doer: Doer,
    /// What is not told yet.
    new: Seen,
    /// All that it did.
    all: Seen,
    known: BTreeSet<Glimpse>,
    /// When something was done last.
    last_ns: u64,
    /// When it was told last.
    told_ns: Option<u64>,
    /// How often it did again what was told, and when first.
    again: u64,
    again_ns: u64,
}

/// Who does it, and from where.
#[derive(Clone, Debug)]
pub struct Doer {
    /// The process.
    pub actor: Identity,
    /// Working directory.
    pub cwd: Option<String>,
    /// Network namespace; zero: not known.
    pub netns: u32,
}

/// What was done, whether it went through `io_uring`, and which network namespace was listed; zero: none.
pub type Glimpse = (Deed, bool, u32);

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When the first of it was, nanoseconds since boot; `None`: there is nothing.
    pub first_ns: Option<u64>,
    /// When the last that was new was.
    new_ns: u64,
    /// What was done.
    pub behaviours: BTreeSet<Behaviour>,
    /// What is known of that.
    pub details: Details,
    /// How often it was done again.
    pub repeat: u64,
}

impl Default for Doer {
    fn default() -> Self {
        Self {
            actor: Identity::NOBODY,
            cwd: None,
            netns: 0,
        }
    }
}

/// What is done at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A program of the list was executed.
    Executed,
    /// A socket to ask for sockets was opened.
    Opened,
    /// Sockets were asked for.
    Dumped(Dump),
    /// A list of `/proc` was read.
    Read(String),
    /// Descriptors of so many processes were listed.
    Swept(u32),
    /// What netfilter tracks was asked for.
    Tracked,
    /// An iterator went through this.
    Iterated(String),
    /// Sockets of others were destroyed.
    Destroyed,
}

impl Deed {
    /// What a frame tells of.
    pub fn glimpse(frame: &LookFrame) -> Glimpse {
        let look = &frame.look;
        let name = || lossy(look.name.as_bytes());
        let deed = match look.glance {
            Glance::DIAG_DUMP => Self::Dumped(Dump {
                family: family_of(look.family),
                protocol: protocol_of(look.family, look.protocol),
                states: states_of(look.states).into_iter().map(Into::into).collect(),
            }),
            Glance::PROC_NET => Self::Read(name()),
            Glance::FD_SWEEP => Self::Swept(look.count),
            Glance::CONNTRACK => Self::Tracked,
            Glance::ITERATOR => Self::Iterated(name()),
            Glance::DESTROY => Self::Destroyed,
            // What no program writes is not decoded.
            _ => Self::Opened,
        };
        let is_through_ring = look.flags & look_flag::IO_URING != 0;
        (deed, is_through_ring, look.listed)
    }

    /// What it is called.
    fn behaviour(&self) -> Behaviour {
        match self {
            Self::Executed => Behaviour::UtilityExec,
            Self::Dumped(_) | Self::Opened => Behaviour::SockDiagDump,
            Self::Read(_) => Behaviour::ProcNetRead,
            Self::Swept(_) => Behaviour::FdSweep,
            Self::Tracked => Behaviour::ConntrackDump,
            Self::Iterated(_) => Behaviour::SocketIterator,
            Self::Destroyed => Behaviour::SockDestroy,
        }
    }
}

impl Run {
    /// It did something.
    pub fn note(&mut self, time_ns: u64, what: Glimpse) {
        let is_apart = time_ns.saturating_sub(self.last_ns) > AT_ONCE_NS;
        self.last_ns = time_ns;
        if self.is_known(&what) {
            if self.new.first_ns.is_none() && is_apart {
                if self.again == 0 {
                    self.again_ns = time_ns;
                }
                self.again += 1;
            }
            return;
        }
        self.new.add(time_ns, &what);
        self.all.add(time_ns, &what);
        self.known.insert(what);
    }

    /// A sweep that goes on is no news once it has been told.
    fn is_known(&self, what: &Glimpse) -> bool {
        let is_sweep = |deed: &Deed| matches!(deed, Deed::Swept(_));
        let goes_on = || is_sweep(&what.0) && self.known.iter().any(|(deed, ..)| is_sweep(deed));
        self.known.contains(what) || self.told_ns.is_some() && goes_on()
    }

    /// Whether something is to be told now, though the process goes on.
    pub fn is_due(&self, now_ns: u64) -> bool {
        let is_long_ago = |told_ns: u64| now_ns.saturating_sub(told_ns) >= AGAIN_NS;
        let is_quiet = now_ns.saturating_sub(self.new.new_ns) >= QUIET_NS;
        match self.new.first_ns {
            Some(_) => is_quiet,
            None => self.again > 0 && self.told_ns.is_some_and(is_long_ago),
        }
    }

    /// What is to be told: what is new; or else what it did, which it did again.
    pub fn take(&mut self, now_ns: u64) -> Option<Seen> {
        let again = std::mem::take(&mut self.again);
        let new = std::mem::take(&mut self.new);
        let mut seen = if new.first_ns.is_some() {
            Seen {
                repeat: again,
                ..new
            }
        } else if again > 0 {
            Seen {
                first_ns: Some(self.again_ns),
                repeat: again - 1,
                ..self.all.clone()
            }
        } else {
            return None;
        };
        self.told_ns = Some(now_ns);
        let listed = &mut seen.details.netns;
        // That it listed those of its own namespace goes without saying.
        if listed.iter().all(|netns| *netns == self.doer.netns) {
            listed.clear();
        }
        Some(seen)
    }
}

impl Seen {
    fn add(&mut self, time_ns: u64, (deed, is_through_ring, listed): &Glimpse) {
        self.first_ns.get_or_insert(time_ns);
        self.new_ns = time_ns;
        self.behaviours.insert(deed.behaviour());
        let details = &mut self.details;
        details.io_uring |= is_through_ring;
        if *listed != 0 {
            details.netns.insert(*listed);
        }
        match deed {
            Deed::Dumped(dump) => {
                details.dumps.insert(dump.clone());
            }
            Deed::Read(name) => {
                details.files.insert(name.clone());
            }
            Deed::Iterated(name) => {
                details.iterators.insert(name.clone());
            }
            Deed::Swept(count) => details.swept = details.swept.max(Some(*count)),
            Deed::Executed | Deed::Opened | Deed::Tracked | Deed::Destroyed => {}
        }
    }
}

/// `AF_…`, in words.
fn family_of(number: u16) -> Option<String> {
    let word = match number {
        0 => return None,
        1 => "unix",
        2 => "ipv4",
        10 => "ipv6",
        16 => "netlink",
        17 => "packet",
        40 => "vsock",
        44 => "xdp",
        other => return Some(other.to_string()),
    };
    Some(word.to_owned())
}

/// `IPPROTO_…`, in words; of families of another kind there is none.
fn protocol_of(family: u16, number: u16) -> Option<String> {
    let word = match (family, number) {
        (2 | 10, 6) => "tcp",
        (2 | 10, 17) => "udp",
        (2 | 10, 33) => "dccp",
        (2 | 10, 132) => "sctp",
        (2 | 10, 136) => "udplite",
        (2 | 10, 255) => "raw",
        (2 | 10, other) => return Some(other.to_string()),
        _ => return None,
    };
    Some(word.to_owned())
}

/// The states of a mask, a bit each; empty: all, or it is not known.
fn states_of(mask: u32) -> Vec<&'static str> {
    let has = |state: &u8| mask >> state & 1 == 1;
    let all = tcp::ESTABLISHED..=tcp::CLOSING;
    if mask == 0 || all.clone().all(|state| has(&state)) {
        return Vec::new();
    }
    all.filter(has).map(state_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn read(name: &str) -> Glimpse {
        (Deed::Read(name.to_owned()), false, 7)
    }

    #[test]
    fn all_that_is_done_at_once_is_told_once() {
        let mut run = Run::default();
        run.note(SECOND, read("tcp"));
        run.note(SECOND + 1, read("tcp6"));
        run.note(SECOND + 2, (Deed::Swept(20), true, 0));
        assert!(!run.is_due(SECOND + 3), "more may come");
        assert!(run.is_due(2 * SECOND + 2));
        let seen = run.take(2 * SECOND + 2).unwrap();
        assert_eq!(seen.first_ns, Some(SECOND));
        let behaviours = [Behaviour::ProcNetRead, Behaviour::FdSweep];
        assert_eq!(seen.behaviours, BTreeSet::from(behaviours));
        assert_eq!(
            (seen.details.swept, seen.details.io_uring),
            (Some(20), true)
        );
        assert_eq!(seen.details.files.len(), 2);
        assert_eq!(seen.details.netns, BTreeSet::from([7]), "another's");
        assert_eq!(run.take(3 * SECOND), None);
    }

    #[test]
    fn what_is_done_again_is_counted_and_told_once_a_minute() {
        let mut run = Run::default();
        run.note(0, read("tcp"));
        run.take(SECOND).unwrap();
        for at in [10, 20, 30] {
            run.note(at * SECOND, read("tcp"));
            run.note(at * SECOND + 1, read("tcp"));
        }
        assert!(!run.is_due(60 * SECOND));
        assert!(run.is_due(61 * SECOND));
        let seen = run.take(61 * SECOND).unwrap();
        assert_eq!((seen.first_ns, seen.repeat), (Some(10 * SECOND), 2));
        run.note(70 * SECOND, read("udp"));
        assert!(run.is_due(71 * SECOND), "something new");
    }

    #[test]
    fn a_sweep_that_goes_on_is_no_news() {
        let mut run = Run::default();
        run.note(0, (Deed::Swept(20), false, 0));
        run.note(1, (Deed::Swept(40), false, 0));
        assert_eq!(run.take(SECOND).unwrap().details.swept, Some(40));
        run.note(SECOND + 1, (Deed::Swept(60), false, 0));
        assert_eq!(run.take(2 * SECOND), None);
    }

    #[test]
    fn states_have_their_names() {
        assert_eq!(states_of(u32::MAX), [""; 0]);
        assert_eq!(states_of(1 << tcp::LISTEN), ["LISTEN"]);
    }
}
