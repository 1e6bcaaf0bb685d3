//! State changes: what is a frame of one, and what it says of its connection.

use tracer_abi::{Connection, Detail, Direction, Identity, Kind, Protocol, tcp};
use tracer_core::{
    decode::{DecodeError, decode},
    record::Record,
    select::{Selection, Term, Test},
};

use crate::{frames::of_connection, processes::at, runs::run};

/// An inbound connection that nobody has taken.
fn inbound() -> Connection {
    Connection {
        opened_ns: 7,
        family: 4,
        direction: Direction::INBOUND,
        local_port: 80,
        remote_port: 50_000,
        ..Connection::UNKNOWN
    }
}

fn taken(owner: Identity) -> Connection {
    Connection {
        flags: Connection::ACCEPTED,
        owner,
        ..inbound()
    }
}

fn frame(kind: u16, connection: Connection, old_state: u8, new_state: u8) -> Vec<u8> {
    of_connection(kind, 8, connection, Detail::of_states(old_state, new_state))
}

/// What becomes of frames: the event of each record, with its states.
fn told(selection: Selection, frames: &[Vec<u8>]) -> Vec<String> {
    let (_, records) = run(selection, frames);
    let word = |record: &Record| match record {
        Record::Connection(connection) => Some(format!(
            "{} {}>{}",
            connection.head.event.word(),
            connection.old_state.as_deref().unwrap_or_default(),
            connection.state.as_deref().unwrap_or_default(),
        )),
        _ => None,
    };
    records.iter().filter_map(word).collect()
}

/// From the end of the handshake to the end.
fn life(owner: Identity) -> [Vec<u8>; 5] {
    [
        frame(Kind::STATE, inbound(), tcp::SYN_RECV, tcp::ESTABLISHED),
        frame(
            Kind::ACCEPT,
            taken(owner),
            tcp::ESTABLISHED,
            tcp::ESTABLISHED,
        ),
        frame(Kind::STATE, taken(owner), tcp::ESTABLISHED, tcp::CLOSE_WAIT),
        frame(Kind::STATE, taken(owner), tcp::CLOSE_WAIT, tcp::CLOSE),
        frame(Kind::CLOSE, taken(owner), tcp::CLOSE_WAIT, tcp::CLOSE),
    ]
}

#[test]
fn states_are_told_in_their_order_with_the_words_of_others() {
    let all = told(Selection::default(), &life(at(200, 2000, 1).identity("sh")));
    assert_eq!(
        all,
        [
            "state SYN_RECV>ESTABLISHED",
            "accept >ESTABLISHED",
            "state ESTABLISHED>CLOSE_WAIT",
            "state CLOSE_WAIT>CLOSED",
            "close >CLOSED",
        ]
    );
}

#[test]
fn a_state_from_before_it_was_taken_does_not_decide_about_the_rest() {
    let not_sh = Selection {
        terms: vec![Term {
            test: Test::Process(vec!["sh".to_owned()]),
            is_negated: true,
        }],
        ..Selection::default()
    };
    // Then it was nobody's.
    assert_eq!(
        told(not_sh.clone(), &life(at(200, 2000, 1).identity("sh"))),
        ["state SYN_RECV>ESTABLISHED"]
    );
    assert_eq!(
        told(not_sh, &life(at(200, 2000, 1).identity("nc"))).len(),
        5
    );
}

#[test]
fn what_no_program_writes_is_no_state_change() {
    let bad = |connection, old, new| {
        let decoded = decode(&frame(Kind::STATE, connection, old, new));
        match decoded {
            Err(DecodeError::BadField { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    let (syn_sent, established) = (tcp::SYN_SENT, tcp::ESTABLISHED);
    assert_eq!(bad(inbound(), 0, established), "old_state");
    assert_eq!(bad(inbound(), tcp::NEW_SYN_RECV, established), "old_state");
    assert_eq!(bad(inbound(), syn_sent, 0), "new_state");
    assert_eq!(bad(inbound(), syn_sent, tcp::NEW_SYN_RECV), "new_state");
    assert_eq!(bad(inbound(), established, established), "new_state");
    let udp = Connection {
        protocol: Protocol::UDP,
        ..inbound()
    };
    assert_eq!(bad(udp, syn_sent, established), "protocol");
    let listener = Connection {
        direction: Direction::LISTENING,
        ..inbound()
    };
    assert_eq!(bad(listener, syn_sent, established), "direction");
}
