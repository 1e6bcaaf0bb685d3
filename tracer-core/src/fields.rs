//! Fields of a record, from what the kernel half said of a connection.

use tracer_abi::{Connection as RawConnection, DestinationFrame, Direction as RawDirection, tcp};

use crate::{
    outcome::{self, Outcome},
    protocol::Protocol,
    record::{Destination, Direction, Endpoint, Event, Id},
    scope::to_ip,
};

/// What names the connection.
pub fn id_of(connection: &RawConnection) -> Id {
    Id {
        opened_ns: connection.opened_ns,
        cpu: connection.opened_cpu,
    }
}

/// Which connection it is, and where else it goes.
pub fn destination_of(frame: &DestinationFrame) -> (Id, Destination) {
    let id = Id {
        opened_ns: frame.opened_ns,
        cpu: frame.opened_cpu,
    };
    let destination = Destination {
        ip: to_ip(frame.address),
        port: frame.port,
    };
    (id, destination)
}

/// What is spoken. A number that no program writes does not come this far.
pub fn protocol_of(connection: &RawConnection) -> Protocol {
    Protocol::of_number(connection.protocol).unwrap_or(Protocol::Tcp)
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
    let port = has_left.then_some(connection.local_port);
    Some(Endpoint::at(to_ip(connection.local), port))
}

/// The errno belongs to an end that it explains.
pub fn error_of(outcome: Option<Outcome>, errno: u32) -> Option<String> {
    match outcome? {
        Outcome::Finished => None,
        _ => outcome::error_name(errno),
    }
}

/// Community ID, version 1, seed 0; of a whole tuple only.
pub fn community_id(
    protocol: Protocol,
    local: Option<&Endpoint>,
    remote: Option<&Endpoint>,
) -> Option<String> {
    let (local, remote) = (local?, remote?);
    community_id::calculate_community_id(
        0,
        local.ip,
        remote.ip,
        Some(local.port?),
        Some(remote.port?),
        protocol.number(),
        false,
    )
    .ok()
}

/// The TCP state after a record, in the words of the contract; UDP has none.
pub fn state_after(protocol: Protocol, event: Event, new_state: u8) -> Option<&'static str> {
    (protocol == Protocol::Tcp).then(|| tcp_state_after(event, new_state))
}

/// The TCP state before a record that tells of its change.
pub fn state_before(event: Event, old_state: u8) -> Option<&'static str> {
    (event == Event::State).then(|| state_name(old_state))
}

fn tcp_state_after(event: Event, new_state: u8) -> &'static str {
    match event {
        Event::Connect => "SYN_SENT",
        Event::Listen => "LISTEN",
        Event::Failed | Event::Close | Event::Unlisten => "CLOSED",
        _ => state_name(new_state),
    }
}

/// The name of a TCP state by its number.
pub fn state_name(state: u8) -> &'static str {
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
