//! Frames about connections.

use aya_ebpf::maps::ring_buf::RingBufEntry;
use tracer_abi::{Address, Connection, ConnectionFrame, Counted, DestinationFrame, Detail, Kind};

use crate::{
    connections,
    counters::count,
    diagnostics,
    ring::{now_ns, reserve, submit, write_header},
};

/// Reports a fact about a connection: counts it, and writes its frame if it is selected.
#[inline(always)]
pub fn report(kind: u16, connection: &Connection, detail: &Detail) {
    report_if(connection.selected == 1, kind, connection, detail);
}

/// The same where it is not the entry of the connection that says whether it is selected.
#[inline(always)]
pub fn report_if(is_selected: bool, kind: u16, connection: &Connection, detail: &Detail) {
    diagnostics::reporting(kind, connection);
    if connection.flags & Connection::OWN != 0 {
        count(kind, Counted::Own);
        return;
    }
    count(kind, Counted::Seen);
    if !is_selected {
        count(kind, Counted::SelectedOut);
        return;
    }
    if let Some(entry) = reserve::<ConnectionFrame>(kind) {
        write(entry, kind, connection, detail);
    }
}

/// As [`report`], unless the entry of the connection, which it replaces, was removed meanwhile.
///
/// Room is taken before the entry is replaced, so that the frame lies before any frame of a hook
/// that sees what was replaced.
#[inline(always)]
pub fn report_replaced(kind: u16, key: u64, connection: &Connection, detail: &Detail) {
    diagnostics::reporting(kind, connection);
    if connection.flags & Connection::OWN != 0 {
        if connections::replace(key, connection) {
            count(kind, Counted::Own);
        }
        return;
    }
    if connection.selected == 0 {
        if connections::replace(key, connection) {
            count(kind, Counted::Seen);
            count(kind, Counted::SelectedOut);
        }
        return;
    }
    // Before 6.2 the verifier forgets that this pointer was compared with null, so the program may
    // compare it once only, and whatever depends on it must happen in that branch.
    let Some(entry) = reserve::<ConnectionFrame>(kind) else {
        connections::replace(key, connection);
        count(kind, Counted::Seen);
        return;
    };
    if connections::replace(key, connection) {
        count(kind, Counted::Seen);
        write(entry, kind, connection, detail);
    } else {
        entry.discard(0);
    }
}

#[inline(always)]
fn write(
    mut entry: RingBufEntry<ConnectionFrame>,
    kind: u16,
    connection: &Connection,
    detail: &Detail,
) {
    let frame = entry.as_mut_ptr();
    let len = size_of::<ConnectionFrame>() as u32;
    // SAFETY: `frame` is reserved ring memory of that type, and every field of it is written.
    unsafe {
        write_header(&raw mut (*frame).header, kind, now_ns(), len);
        (*frame).connection = *connection;
        (*frame).detail = *detail;
    }
    submit(entry);
}

/// Reports what was asked for, where the connection is with something else. Whoever asks for no address gets
/// the one of this host, and nobody has rewritten anything.
#[inline(always)]
pub fn report_requested(connection: &Connection, address: Address, port: u16) {
    let is_rewritten = port != connection.remote_port || address != connection.remote;
    if is_rewritten && !address.is_unspecified() {
        report_destination(Kind::REQUESTED, connection, address, port);
    }
}

/// Reports another destination of a connection than the one that its socket has.
#[inline(always)]
pub fn report_destination(kind: u16, connection: &Connection, address: Address, port: u16) {
    if connection.flags & Connection::OWN != 0 {
        count(kind, Counted::Own);
        return;
    }
    count(kind, Counted::Seen);
    if connection.selected == 0 {
        count(kind, Counted::SelectedOut);
        return;
    }
    let Some(mut entry) = reserve::<DestinationFrame>(kind) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    let len = size_of::<DestinationFrame>() as u32;
    // SAFETY: `frame` is reserved ring memory of that type, and every field of it is written.
    unsafe {
        write_header(&raw mut (*frame).header, kind, now_ns(), len);
        (*frame).opened_ns = connection.opened_ns;
        (*frame).opened_cpu = connection.opened_cpu;
        (*frame).port = port;
        (*frame).reserved = 0;
        (*frame).address = address;
    }
    submit(entry);
}
