//! Who holds what is older than tracing: a connection, a listener, or a flow of datagrams.

use tracer_abi::{Attribution, Connection, Detail, Identity, Kind};

use crate::{emit::report, kernel::Task, select};

/// Whether it was not known that a process holds it. What began while tracing has an owner from its
/// beginning; one that was seen using it stays.
#[inline(always)]
pub fn is_news(connection: &Connection, task: Task) -> bool {
    let is_replaceable = matches!(
        connection.attribution,
        Attribution::NONE | Attribution::EXISTING
    );
    connection.flags & Connection::OPEN_BEFORE != 0
        && is_replaceable
        && connection.owner.tgid != task.tgid()
}

/// Notes that a process holds it, and reports that.
#[inline(always)]
pub fn hold(connection: &mut Connection, task: Task, detail: &Detail) {
    if connection.owner.tgid != 0 {
        connection.flags |= Connection::SHARED;
    }
    // It may be conntracer itself, which was given a socket for its output: not its own affair, but
    // that of whoever opened it.
    task.identify(&mut connection.owner);
    connection.attribution = Attribution::EXISTING;
    if connection.selected == 0 && select::matches(connection) {
        // Asked for because of who holds it, so it was not told of when it was found.
        connection.selected = 1;
        report(Kind::EXISTING, connection, detail);
    }
    report(Kind::HOLDER, connection, &Detail::default());
    if connection.flags & Connection::SHARED != 0 {
        connection.owner = Identity::NOBODY;
        connection.attribution = Attribution::NONE;
    }
}
