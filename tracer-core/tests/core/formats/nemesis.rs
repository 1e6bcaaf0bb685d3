//! Messages of Nemesis, held against what its server takes.

use std::net::SocketAddr;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use tracer_core::{
    format::{
        Nemesis,
        nemesis::{
            message::{Expiration, Profile},
            rows::{Rows, Told},
        },
    },
    outcome::Outcome,
    protocol::Protocol,
    record::{Connection, Endpoint, Event, Id, Record},
    redact::{Arguments, Pattern, Redactor},
};

use super::{
    objects, records,
    records::{connection, ended, inbound, listener, of, owner},
};

const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSED",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "UNKNOWN",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    metadata: Metadata,
    data: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    agent_id: String,
    agent_type: String,
    automated: bool,
    data_type: String,
    source: String,
    project: String,
    timestamp: String,
    expiration: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    local_address: SocketAddr,
    remote_address: Option<SocketAddr>,
    protocol: String,
    state: Option<String>,
    process_id: Option<u32>,
    process_name: Option<String>,
    service: Option<String>,
}

/// Panics unless the server takes it.
pub fn is_taken(message: &Value) {
    let Message { metadata, data } =
        Message::deserialize(message).unwrap_or_else(|why| panic!("{why}: {message}"));
    assert!(metadata.automated);
    assert_eq!(metadata.agent_type, "conntracer");
    assert_eq!(metadata.data_type, "network_connection");
    let Metadata {
        agent_id,
        source,
        project,
        ..
    } = metadata;
    assert!(agent_id.starts_with(&source) && !project.is_empty());
    for time in [metadata.timestamp, metadata.expiration] {
        let form = "dddd-dd-ddTdd:dd:dd.000Z";
        let shape = time.chars().zip(form.chars());
        let fits =
            |(got, wanted): (char, char)| got == wanted || (wanted == 'd' && got.is_ascii_digit());
        assert!(
            time.len() == form.len() && shape.into_iter().all(fits),
            "{time}"
        );
    }
    assert!(!data.is_empty());
    for row in data {
        let is_v6 = row.remote_address.unwrap_or(row.local_address).is_ipv6();
        let family = if is_v6 { "ipv6" } else { "ipv4" };
        let (spoken, of_ip) = row.protocol.split_once(',').unwrap_or_default();
        assert!(
            ["tcp", "udp"].contains(&spoken) && of_ip == family,
            "{}",
            row.protocol
        );
        let state = row.state.as_deref();
        assert!(
            state.is_none_or(|state| STATES.contains(&state)),
            "{state:?}"
        );
        assert_eq!(state.is_none(), spoken == "udp");
        assert!(row.process_id.is_none_or(|pid| i32::try_from(pid).is_ok()));
        for text in [row.process_name, row.service].into_iter().flatten() {
            assert!(!text.is_empty() && !text.contains('\0'), "{text:?}");
        }
    }
}

fn profile(rows_max: usize) -> Profile {
    Profile {
        project: "IR-1".to_owned(),
        expiration: Expiration::After(SignedDuration::from_hours(24)),
        rows_max,
    }
}

fn redacting() -> Arguments {
    let redactor = Redactor::new(&[], Vec::<Pattern>::new()).unwrap_or_else(|why| panic!("{why}"));
    Arguments::Redacted(Box::new(redactor))
}

pub fn format(each_change: bool) -> Nemesis {
    Nemesis::new(profile(100), each_change, redacting())
}

/// The rows of these records, which are the whole run.
fn rows_of(each_change: bool, connections: impl IntoIterator<Item = Connection>) -> Vec<Value> {
    let records: Vec<Record> = connections.into_iter().map(of).collect();
    let messages = objects(&mut format(each_change), &records);
    messages.iter().for_each(is_taken);
    let rows = messages
        .iter()
        .filter_map(|message| message["data"].as_array());
    rows.flatten().cloned().collect()
}

fn row(connection: Connection) -> Value {
    let mut rows = rows_of(false, [connection]);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn at(mut connection: Connection, time: &str, state: &'static str) -> Connection {
    time.clone_into(&mut connection.head.time);
    connection.state = Some(state.into());
    connection
}

fn end(ip: &str, port: Option<u16>) -> Endpoint {
    Endpoint::at(ip.parse().unwrap_or_else(|why| panic!("{why}")), port)
}

#[test]
fn a_message_is_what_the_server_takes() {
    let records = [records::start(), of(connection(Event::Established))];
    let messages = objects(&mut format(false), &records);
    assert_eq!(
        messages,
        [json!({
            "metadata": {
                "agent_id": "web-1-mach1ne", "agent_type": "conntracer", "automated": true,
                "data_type": "network_connection", "source": "web-1", "project": "IR-1",
                "timestamp": "2027-01-15T08:00:02.000Z", "expiration": "2027-01-16T08:00:02.000Z",
            },
            "data": [{
                "local_address": "192.0.2.17:41158", "remote_address": "198.51.100.9:443",
                "protocol": "tcp,ipv4", "state": "ESTABLISHED", "process_id": 500,
                "process_name": "curl https://www.example/", "service": "x.service",
            }],
        })]
    );
    messages.iter().for_each(is_taken);
}

#[test]
fn one_row_of_each_with_its_latest_state_or_one_of_each_change() {
    let life = || {
        [
            at(
                connection(Event::Connect),
                "2027-01-15T08:00:01Z",
                "SYN_SENT",
            ),
            at(
                connection(Event::Established),
                "2027-01-15T08:00:02Z",
                "ESTABLISHED",
            ),
            at(
                connection(Event::Update),
                "2027-01-15T08:00:03Z",
                "ESTABLISHED",
            ),
            at(
                ended(Event::Close, Outcome::Finished),
                "2027-01-15T08:00:04Z",
                "CLOSED",
            ),
        ]
    };
    let states = |rows: Vec<Value>| {
        rows.iter()
            .map(|row| row["state"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(rows_of(false, life())), ["CLOSED"]);
    assert_eq!(
        states(rows_of(true, life())),
        ["SYN_SENT", "ESTABLISHED", "CLOSED"]
    );
    let open = life().into_iter().take(3);
    assert_eq!(states(rows_of(false, open)), ["ESTABLISHED"]);
}

#[test]
fn addresses_of_every_kind() {
    let mapped = row(Connection {
        local: Some(end("::ffff:192.0.2.17", Some(5))),
        remote: Some(end("::ffff:198.51.100.9", Some(443))),
        ..connection(Event::Established)
    });
    assert_eq!(mapped["local_address"], "192.0.2.17:5");
    assert_eq!(mapped["remote_address"], "198.51.100.9:443");
    assert_eq!(mapped["protocol"], "tcp,ipv4");
    let six = row(Connection {
        local: Some(end("2001:db8::17", Some(5))),
        remote: Some(end("::1", Some(443))),
        ..connection(Event::Established)
    });
    assert_eq!(six["local_address"], "[2001:db8::17]:5");
    assert_eq!(six["remote_address"], "[::1]:443");
    assert_eq!(six["protocol"], "tcp,ipv6");
    let listens = row(at(listener(Event::Listen), records::TIME, "LISTEN"));
    assert_eq!(listens["remote_address"], "0.0.0.0:0");
    let listens = row(Connection {
        local: Some(end("::", Some(22))),
        ..at(listener(Event::Existing), records::TIME, "LISTEN")
    });
    assert_eq!(listens["local_address"], "[::]:22");
    assert_eq!(listens["remote_address"], "[::]:0");
    let not_yet = row(Connection {
        local: Some(end("::", Some(5))),
        ..connection(Event::Existing)
    });
    assert_eq!(not_yet["local_address"], "0.0.0.0:5");
    assert_eq!(not_yet["protocol"], "tcp,ipv4");
    let never_had_one = row(Connection {
        local: None,
        ..at(
            ended(Event::Failed, Outcome::Denied),
            records::TIME,
            "CLOSED",
        )
    });
    assert_eq!(never_had_one["local_address"], "0.0.0.0:0");
    assert_eq!(never_had_one["state"], "CLOSED");
    let taken = row(inbound(Event::Accept));
    assert_eq!(taken["local_address"], "192.0.2.17:41158");
    let flow = row(Connection {
        protocol: Protocol::Udp,
        state: None,
        remote: None,
        ..connection(Event::Existing)
    });
    assert_eq!(flow["protocol"], "udp,ipv4");
    assert!(flow.get("state").is_none() && flow.get("remote_address").is_none());
}

#[test]
fn service_is_the_unit_else_the_name_of_the_port() {
    let mut without = owner();
    without.unit = None;
    let row = row(Connection {
        owner: Some(without.into()),
        ..connection(Event::Existing)
    });
    assert_eq!(row["service"], "https");
}

#[test]
fn arguments_are_shown_without_secrets_or_not_at_all() {
    let shown = |arguments: Arguments| {
        let mut owner = owner();
        let mut process = (*owner.process).clone();
        process.args = Some(vec!["curl".to_owned(), "--token=abc".to_owned()]);
        owner.process = process.into();
        let record = of(Connection {
            owner: Some(owner.into()),
            ..connection(Event::Existing)
        });
        let mut format = Nemesis::new(profile(1), false, arguments);
        objects(&mut format, &[record])[0]["data"][0]["process_name"].clone()
    };
    assert_eq!(shown(Arguments::Full), "curl --token=abc");
    assert_eq!(shown(redacting()), "curl --token=[redacted]");
    assert_eq!(shown(Arguments::None), "curl");
}

#[test]
fn messages_are_of_one_second_and_bounded() {
    let closes = |cpu, time| Connection {
        id: Id { opened_ns: 1, cpu },
        ..at(ended(Event::Close, Outcome::Finished), time, "CLOSED")
    };
    let records: Vec<Record> = [
        closes(1, "2027-01-15T08:00:01.1Z"),
        closes(2, "2027-01-15T08:00:01.2Z"),
        closes(3, "2027-01-15T08:00:01.3Z"),
        closes(4, "2027-01-15T08:00:02Z"),
    ]
    .map(of)
    .into();
    let mut format = Nemesis::new(profile(2), false, redacting());
    let lengths: Vec<_> = objects(&mut format, &records)
        .iter()
        .map(|message| message["data"].as_array().map(Vec::len))
        .collect();
    assert_eq!(lengths, [Some(2), Some(1), Some(1)]);
}

#[test]
fn a_row_has_one_name_in_whatever_way_it_is_told() {
    let records = [
        records::start(),
        of(connection(Event::Existing)),
        records::stop(),
    ];
    let mut rows = Rows::new(false, redacting());
    let mut of_records: Vec<Told> = Vec::new();
    for record in &records {
        rows.record(record, &mut of_records);
    }
    rows.end(&mut of_records);
    let mut rows = Rows::new(false, redacting());
    let mut of_lines = Vec::new();
    for record in &records {
        let line = serde_json::to_string(record).unwrap_or_else(|why| panic!("{why}"));
        rows.line(&line, &mut of_lines)
            .unwrap_or_else(|why| panic!("{why}"));
    }
    rows.end(&mut of_lines);
    assert_eq!(of_records, of_lines);
    let mut hidden = Rows::new(false, Arguments::None);
    let mut without = Vec::new();
    for record in &records {
        hidden.record(record, &mut without);
    }
    hidden.end(&mut without);
    assert_eq!(of_records[0].name(), without[0].name());
    assert_ne!(of_records[0].row, without[0].row);
}

#[test]
fn what_is_no_connection_is_no_row() {
    let records = [records::start(), records::socket(), records::loss()];
    assert!(objects(&mut format(false), &records).is_empty());
}
