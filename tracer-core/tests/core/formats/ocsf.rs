//! Events of OCSF, held against what its class Network Activity wants.

use serde_json::{Value, json};
use tracer_core::{
    format::Ocsf,
    outcome::Outcome,
    protocol::Protocol,
    record::{Connection, Direction, Endpoint, Event},
    scope::Scope,
};

use super::{
    nothing_is_null, object, objects,
    records::{self, connection, ended, inbound, listener, of},
};

/// The activities of the class, and their captions.
const ACTIVITIES: [(u64, &str); 7] = [
    (1, "Open"),
    (2, "Close"),
    (3, "Reset"),
    (4, "Fail"),
    (5, "Refuse"),
    (6, "Traffic"),
    (7, "Listen"),
];

/// Panics unless the event has what the class requires, in the types it wants.
pub fn is_as_published(event: &Value) {
    nothing_is_null(event);
    if event["class_uid"] == 2004 {
        return is_a_finding(event);
    }
    assert_eq!(event["class_uid"], 4001);
    assert_eq!(event["category_uid"], 4);
    let activity = event["activity_id"].as_u64();
    assert_eq!(event["type_uid"].as_u64(), activity.map(|id| 400_100 + id));
    match ACTIVITIES.iter().find(|(id, _)| Some(*id) == activity) {
        Some((_, caption)) => assert_eq!(event["activity_name"], *caption),
        None => assert_eq!(activity, Some(99), "{event}"),
    }
    let severity = event["severity_id"].as_u64();
    assert!(severity.is_some_and(|id| (1..=6).contains(&id)), "{event}");
    let status = &event["status_id"];
    assert!(
        status.is_null() || status.as_u64().is_some_and(|id| id <= 2),
        "{event}"
    );
    assert!(event["time"].is_i64(), "{event}");
    assert_eq!(event["metadata"]["version"], "1.8.0");
    assert_eq!(event["metadata"]["product"]["name"], "conntracer");
    // Of the profile `host`, with what an operating system must have.
    assert!(event["device"]["type_id"].is_u64(), "{event}");
    assert_eq!(event["device"]["os"]["name"], "Linux");
    assert_eq!(event["device"]["os"]["type_id"], 200);
    let ends = [&event["src_endpoint"], &event["dst_endpoint"]];
    assert!(ends.iter().any(|end| end.is_object()), "{event}");
    for end in ends.into_iter().filter(|end| end.is_object()) {
        assert!(
            end["ip"].is_string() || end["hostname"].is_string(),
            "{event}"
        );
        assert!(end["port"].is_null() || end["port"].is_u64(), "{event}");
    }
    let info = &event["connection_info"];
    if info.is_object() {
        assert!(
            info["direction_id"].as_u64().is_some_and(|id| id <= 2),
            "{event}"
        );
        assert!(
            matches!(info["protocol_ver_id"].as_u64(), Some(4 | 6)),
            "{event}"
        );
    }
    let process = &event["actor"]["process"];
    if process.is_object() {
        assert!(process["pid"].is_u64(), "{event}");
        assert!(process["user"]["uid"].is_string(), "{event}");
        let file = &process["file"];
        assert!(
            file.is_null() || (file["name"].is_string() && file["type_id"] == 1),
            "{event}"
        );
    }
}

fn event(connection: Connection) -> Value {
    let event = object(&mut Ocsf::default(), of(connection));
    is_as_published(&event);
    event
}

/// Detection Finding has its own attributes.
fn is_a_finding(event: &Value) {
    assert_eq!(event["category_uid"], 2);
    assert_eq!(event["type_uid"], 200_401);
    assert!(event["time"].is_i64(), "{event}");
    assert!(event["finding_info"]["uid"].is_string(), "{event}");
    let evidence = &event["evidences"][0];
    assert!(evidence["process"].is_object(), "{event}");
    assert_eq!(evidence["device"]["os"]["name"], "Linux");
}

#[test]
fn what_becomes_of_each_record() {
    let udp = Connection {
        protocol: Protocol::Udp,
        ..connection(Event::Connect)
    };
    for (connection, activity, name, status) in [
        (connection(Event::Connect), 99, "connect", json!(0)),
        (udp, 1, "Open", json!(0)),
        (connection(Event::Established), 1, "Open", json!(1)),
        (inbound(Event::Accept), 1, "Open", json!(1)),
        (
            ended(Event::Failed, Outcome::Refused),
            5,
            "Refuse",
            json!(2),
        ),
        (ended(Event::Failed, Outcome::Reset), 3, "Reset", json!(2)),
        (ended(Event::Failed, Outcome::Timeout), 4, "Fail", json!(2)),
        (
            ended(Event::Failed, Outcome::Unreachable),
            4,
            "Fail",
            json!(2),
        ),
        (ended(Event::Failed, Outcome::Denied), 4, "Fail", json!(2)),
        (ended(Event::Failed, Outcome::Aborted), 4, "Fail", json!(2)),
        (
            ended(Event::Failed, Outcome::LocalError),
            4,
            "Fail",
            json!(2),
        ),
        (
            ended(Event::Close, Outcome::Finished),
            2,
            "Close",
            Value::Null,
        ),
        (ended(Event::Close, Outcome::Idle), 2, "Close", Value::Null),
        (
            ended(Event::Close, Outcome::ResetLocal),
            3,
            "Reset",
            Value::Null,
        ),
        (
            ended(Event::Close, Outcome::ResetRemote),
            3,
            "Reset",
            Value::Null,
        ),
        (
            ended(Event::Close, Outcome::Timeout),
            4,
            "Fail",
            Value::Null,
        ),
        (connection(Event::Update), 6, "Traffic", Value::Null),
        (listener(Event::Listen), 7, "Listen", Value::Null),
        (listener(Event::Unlisten), 99, "unlisten", Value::Null),
        (connection(Event::Existing), 99, "existing", Value::Null),
        (connection(Event::State), 99, "state", Value::Null),
    ] {
        let detail = connection.outcome.map(Outcome::word);
        let event = event(connection);
        assert_eq!(event["activity_id"], activity, "{name}");
        assert_eq!(event["activity_name"], name);
        assert_eq!(event["status_id"], status, "{name}");
        assert_eq!(event["status_detail"].as_str(), detail, "{name}");
        assert_eq!(event["severity_id"], 1);
    }
}

#[test]
fn the_source_is_who_opened_it() {
    let outbound = event(connection(Event::Close));
    assert_eq!(
        outbound["src_endpoint"],
        json!({"ip": "192.0.2.17", "port": 41158, "hostname": "web-1"})
    );
    assert_eq!(
        outbound["dst_endpoint"],
        json!({"ip": "198.51.100.9", "port": 443, "hostname": "www.example", "svc_name": "https"})
    );
    assert_eq!(outbound["is_src_dst_assignment_known"], true);
    assert_eq!(
        outbound["traffic"],
        json!({
            "bytes": 9_007_199_254_741_510_u64,
            "bytes_out": 517,
            "bytes_in": 9_007_199_254_740_993_u64,
            "packets": 7,
            "packets_out": 3,
            "packets_in": 4,
        })
    );
    let inbound = event(inbound(Event::Close));
    assert_eq!(inbound["connection_info"]["direction_id"], 1);
    assert_eq!(inbound["src_endpoint"]["ip"], "198.51.100.9");
    assert_eq!(inbound["dst_endpoint"]["svc_name"], "https");
    assert_eq!(inbound["traffic"]["bytes_in"], 517);
    let unknown = event(Connection {
        direction: None,
        ..connection(Event::Close)
    });
    assert_eq!(unknown["connection_info"]["direction_id"], 0);
    assert_eq!(unknown["is_src_dst_assignment_known"], false);
}

#[test]
fn times_are_milliseconds() {
    let event = event(Connection {
        duration_us: Some(2_000_999),
        ..ended(Event::Close, Outcome::Finished)
    });
    assert_eq!(event["time"], 1_800_000_002_000_i64);
    assert_eq!(event["end_time"], 1_800_000_002_000_i64);
    assert_eq!(event["duration"], 2_000);
    assert_eq!(event["start_time"], 1_800_000_000_000_i64);
    let created = &event["actor"]["process"]["created_time"];
    assert_eq!(*created, 1_799_996_405_010_i64);
}

#[test]
fn borders_are_of_the_far_end() {
    for (scope, boundary) in [
        (Scope::Own, json!(1)),
        (Scope::Loopback, json!(1)),
        (Scope::Private, json!(2)),
        (Scope::Internal, json!(2)),
        (Scope::LinkLocal, json!(2)),
        (Scope::External, json!(3)),
        (Scope::Multicast, Value::Null),
    ] {
        let connection = connection(Event::Connect);
        let remote = connection.remote.clone().map(|remote| Endpoint {
            scope: Some(scope),
            ..remote
        });
        let event = event(Connection {
            remote,
            ..connection
        });
        assert_eq!(
            event["connection_info"]["boundary_id"], boundary,
            "{scope:?}"
        );
    }
}

#[test]
fn the_owner_is_the_actor() {
    let events = objects(
        &mut Ocsf::default(),
        &[records::start(), of(connection(Event::Connect))],
    );
    assert_eq!(events.len(), 1, "a start is no activity on a network");
    let event = &events[0];
    is_as_published(event);
    let user = json!({"uid": "1000", "name": "alice"});
    assert_eq!(event["actor"]["user"], user);
    assert_eq!(
        event["actor"]["process"],
        json!({
            "pid": 500,
            "ptid": 501,
            "namespace_pid": 5,
            "uid": "b00t-500-2027-01-15T07:00:05.01Z",
            "name": "curl",
            "cmd_line": "curl https://www.example/",
            "created_time": 1_799_996_405_010_i64,
            "file": {
                "name": "curl",
                "path": "/usr/bin/curl",
                "type_id": 1,
                "hashes": [
                    {"algorithm": "SHA-256", "algorithm_id": 3, "value": records::SHA256},
                ],
            },
            "euid": 0,
            "auid": 1001,
            "group": {"uid": "100"},
            "user": user,
            "container": {
                "uid": "3f4e",
                "name": "web",
                "image": {"uid": "nginx:1.27", "name": "nginx:1.27"},
                "runtime": "containerd",
                "pod_uuid": "6f3a",
            },
            "parent_process": {
                "pid": 400,
                "uid": "b00t-400-2027-01-15T07:00:04.00Z",
                "name": "sh",
                "cmd_line": "-sh",
                "created_time": 1_799_996_404_000_i64,
                "file": {"name": "dash", "path": "/usr/bin/dash", "type_id": 1},
            },
        })
    );
    assert_eq!(event["device"]["uid"], "mach1ne");
    assert_eq!(event["device"]["hostname"], "web-1");
    assert_eq!(event["metadata"]["product"]["version"], "0.1.0");
}

#[test]
fn what_has_no_end_is_of_this_host() {
    let nowhere = event(Connection {
        local: None,
        remote: None,
        direction: Some(Direction::Outbound),
        ..connection(Event::Failed)
    });
    assert_eq!(nowhere["src_endpoint"], json!({"hostname": "web-1"}));
    let socket = object(&mut Ocsf::default(), records::socket());
    is_as_published(&socket);
    assert_eq!(socket["activity_name"], "socket");
    assert_eq!(socket["unmapped"]["kind"], "raw");
    let pod = json!({"uid": "6f3a", "name": "web-0", "namespace": "shop", "container": "web"});
    assert_eq!(socket["unmapped"]["pod"], pod);
}

#[test]
fn a_loss_is_told_and_matters_more() {
    let loss = object(&mut Ocsf::default(), records::loss());
    is_as_published(&loss);
    assert_eq!(loss["activity_name"], "loss");
    assert_eq!(loss["severity_id"], 3);
    assert_eq!(loss["unmapped"]["loss"]["lost"], json!({"ring_full": 3}));
    assert!(objects(&mut Ocsf::default(), &[records::stop()]).is_empty());
}

#[test]
fn indicators_come_with_their_profile() {
    let with = event(records::known(connection(Event::Connect)));
    assert_eq!(with["osint"][0]["value"], "198.51.100.9:443");
    assert_eq!(with["osint"][0]["name"], "dst_endpoint.ip");
    assert_eq!(with["dst_endpoint"]["autonomous_system"]["number"], 64500);
    let has_profile = |event: &Value| {
        let profiles = event["metadata"]["profiles"].as_array();
        profiles.is_some_and(|all| all.contains(&json!("osint")))
    };
    assert!(has_profile(&with));
    let without = event(connection(Event::Connect));
    assert!(!has_profile(&without) && without["osint"].is_null());
}
