//! Community IDs against what the specification publishes.

use std::net::IpAddr;

use tracer_abi::{Connection, Detail, Direction, Kind};
use tracer_core::{
    clock::Anchor, decode::decode, pipeline::Pipeline, record::Record, scope::to_address,
    select::Selection,
};

use crate::frames::of_connection;

/// What a record of a connection between two ends is given.
fn community_id(local: (&str, u16), remote: (&str, u16)) -> Option<String> {
    let address = |text: &str| text.parse::<IpAddr>().map(to_address);
    let mut connection = Connection::UNKNOWN;
    connection.family = if local.0.contains(':') { 6 } else { 4 };
    connection.direction = Direction::OUTBOUND;
    connection.local = address(local.0).ok()?;
    connection.local_port = local.1;
    connection.remote = address(remote.0).ok()?;
    connection.remote_port = remote.1;
    let anchor = Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: String::new(),
    };
    let mut pipeline = Pipeline::new(Selection::default(), false, anchor);
    let mut records = Vec::new();
    pipeline.start(0, &mut records);
    let bytes = of_connection(Kind::CONNECT, 1, connection, Detail::default());
    pipeline.frame(decode(&bytes).ok()?, &mut records);
    records.into_iter().find_map(|record| match record {
        Record::Connection(connection) => connection.community_id,
        _ => None,
    })
}

/// The TCP flows of `baseline/baseline_deflt.json` in the repository of the specification.
#[test]
fn both_directions_have_the_published_id() {
    let published = [
        (
            ("128.232.110.120", 34855),
            ("66.35.250.204", 80),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        ),
        (
            ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
            ("2607:f8b0:400c:c03::1a", 25),
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
    ];
    for (one, other, id) in published {
        assert_eq!(community_id(one, other).as_deref(), Some(id));
        assert_eq!(community_id(other, one).as_deref(), Some(id));
    }
}
