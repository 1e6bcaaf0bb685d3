//! State changes of connections, each reported: `--states`.
//!
//! Where that is not asked for, frozen read-only data says so and the verifier removes all of it.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::HashMap};
use tracer_abi::{Connection, Counted, Detail, Direction, Kind};

use crate::{
    counters::count,
    emit::{report, report_if},
    globals::global,
    kernel::{Memory, Sock},
    select,
};

/// Address of the socket → the state it entered last, so that of the two programs at the hook only one
/// reports that. Written by state changes alone, which the lock of the socket puts in a row, while
/// entries of `CONNECTIONS` are replaced whole by hooks that do not hold it, who would put an older
/// state back. Inserted: when a state is entered. Removed: when CLOSE is, at the latest by
/// `tcp_destroy_sock`. The loader makes as much room as there is for connections, or none.
#[map]
static STATES: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

/// State changes are to be reported.
#[inline(always)]
pub fn are_asked_for() -> bool {
    global!(SETTINGS.states) == 1
}

/// Reports that the connection enters a state, unless that was done: before it is remembered, so that
/// the frame lies before any frame of a hook that finds it. Of an inbound one that no process has taken
/// it is not remembered whether it was selected, for its owner may decide that otherwise.
#[inline(always)]
pub fn enter<M: Memory>(sock: Sock<M>, connection: &Connection, old: u8, new: u8) {
    let is_change = old != new && connection.direction != Direction::LISTENING;
    if are_asked_for() && is_change && is_news(sock.key(), u32::from(new)) {
        let is_selected = connection.selected == 1 || select::matches(connection);
        tell(is_selected, connection, &sock.detail(old, new));
    }
}

/// Reports a state change. A function of its own in the kernel too, so that the compiler does not merge
/// it with the report of what the change means (see [`crate::emit::report_replaced`]).
#[inline(never)]
pub fn tell(is_selected: bool, connection: &Connection, detail: &Detail) {
    report_if(is_selected, Kind::STATE, connection, detail);
}

/// Whether it is not the state that the socket entered last. From here on it is.
#[inline(always)]
fn is_news(key: u64, new: u32) -> bool {
    // SAFETY: the map's value is one aligned word, and nobody else writes it.
    if STATES
        .get_ptr(key)
        .is_some_and(|last| unsafe { *last } == new)
    {
        return false;
    }
    let is_noted = STATES.insert(key, new, u64::from(BPF_ANY)).is_ok();
    if !is_noted {
        count(Kind::STATE, Counted::MapFull);
    }
    is_noted
}

/// The socket enters CLOSE, or is no more.
#[inline(always)]
pub fn forget(key: u64) {
    if are_asked_for() {
        // There may be none.
        let _ = STATES.remove(key);
    }
}

/// Reports the end of a connection or listener, and before it, of a connection, the state change that
/// it is. Whoever has taken the entry is the only one to do so.
#[inline(always)]
pub fn report_end(kind: u16, connection: &Connection, detail: &Detail) {
    if are_asked_for() && connection.direction != Direction::LISTENING {
        tell(connection.selected == 1, connection, detail);
    }
    report(kind, connection, detail);
}
