//! Fields of a record, from what the kernel half said of a connection.

use tracer_abi::{Connection as RawConnection, Direction as RawDirection, tcp};

use crate::{
    outcome::{self, Outcome},
    record::{Direction, Endpoint, Event, Id},
    scope::to_ip,
};

/// What names the connection.
pub fn id_of(connection: &RawConnection) -> Id {
    Id {
        opened_ns: connection.opened_ns,
        cpu: connection.opened_cpu,
    }
}

/// Who opened it; `None` where that cannot be known.
pub fn direction_of(connection: &RawConnection) -> Option<Direction> {
    match connection.direction {
        RawDirection::OUTBOUND => Some(Direction::Outbound),
        RawDirection::INBOUND => Some(Direction::Inbound),
        RawDirection::LISTENING => Some(Direction::Listening),
        _ => None,
    }
}

/// This end; nothing where neither address nor port was chosen yet.
pub fn local_of(connection: &RawConnection) -> Option<Endpoint> {
    let has_left = connection.flags & RawConnection::NO_SYN == 0;
    let is_listener = connection.direction == RawDirection::LISTENING;
    if connection.local.is_unspecified() && !is_listener && !has_left {
        return None;
    }
    Some(Endpoint {
        ip: to_ip(connection.local),
        port: has_left.then_some(connection.local_port),
        scope: None,
    })
}

/// The errno belongs to an end that it explains.
pub fn error_of(outcome: Option<Outcome>, errno: u32) -> Option<String> {
    match outcome? {
        Outcome::Finished => None,
        _ => outcome::error_name(errno),
    }
}

/// Community ID, version 1, seed 0; of a whole tuple only.
pub fn community_id(local: Option<&Endpoint>, remote: Option<&Endpoint>) -> Option<String> {
    const TCP: u8 = 6;
    let (local, remote) = (local?, remote?);
    community_id::calculate_community_id(
        0,
        local.ip,
        remote.ip,
        Some(local.port?),
        Some(remote.port?),
        TCP,
        false,
    )
    .ok()
}

/// The TCP state after a record, in the words of the contract.
pub fn state_after(event: Event, new_state: u8) -> &'static str {
    match event {
        Event::Connect => "SYN_SENT",
        Event::Listen => "LISTEN",
        Event::Failed | Event::Close | Event::Unlisten => "CLOSED",
        _ => state_name(new_state),
    }
}

fn state_name(state: u8) -> &'static str {
    match state {
        tcp::SYN_SENT => "SYN_SENT",
        tcp::SYN_RECV => "SYN_RECV",
        tcp::FIN_WAIT1 => "FIN_WAIT1",
        tcp::FIN_WAIT2 => "FIN_WAIT2",
        tcp::TIME_WAIT => "TIME_WAIT",
        tcp::CLOSE => "CLOSED",
        tcp::CLOSE_WAIT => "CLOSE_WAIT",
        tcp::LAST_ACK => "LAST_ACK",
        tcp::LISTEN => "LISTEN",
        tcp::CLOSING => "CLOSING",
        _ => "ESTABLISHED",
    }
}
