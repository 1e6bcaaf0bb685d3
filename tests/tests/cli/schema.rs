//! The records are what the published schema says: [`Tracer`] checks each that it gathers.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    schema::violations,
    tracer::{Finished, Tracer},
};

fn assert_has(finished: &Finished, events: &[&str]) {
    for event in events {
        let is_there = finished
            .records
            .iter()
            .any(|record| record.event() == *event);
        assert!(is_there, "no {event} was written");
    }
}

/// One exchange of ten bytes each way; the client has these words before its verb.
fn talk(netns: &Netns, address: &str, words: &[&str]) {
    let mut server = Peer::start(netns, &["serve", address, "1", "10", "10"]);
    let target = address.replace(":0", &format!(":{}", server.port()));
    let mut all = words.to_vec();
    all.extend(["connect", &target, "10", "10"]);
    peer::run(netns, &all);
    server.finish();
}

#[test]
fn connections_of_every_kind_are_as_published() {
    let netns = Netns::new();
    let id = format!("{:064x}", std::process::id());
    let cgroup = Cgroup::new(&format!("/system.slice/docker-{id}.scope"));
    let tracer = Tracer::on(Rung::Auto, &netns, &["--not-user", "4321"]);
    talk(&netns, "127.0.0.1:0", &[]);
    talk(&netns, "[::1]:0", &["--login", "1000", "--uid", "1234"]);
    talk(&netns, "127.0.0.1:0", &["--cgroup", &cgroup.directory()]);
    talk(&netns, "127.0.0.1:0", &["--name", "27,91,50,74,255,10"]);
    talk(&netns, "127.0.0.1:0", &["--name", ""]);
    peer::run(&netns, &["refused", "127.0.0.1:9"]);
    peer::run(&netns, &["refused", "203.0.113.1:80"]);
    let mut server = Peer::start(&netns, &["never-accept", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let mut client = Peer::start(&netns, &["hold", &target]);
    let port = client.port();
    server.finish();
    client.finish();
    tracer.wait("close of what nobody took", |record| {
        record.event() == "close" && record.at("accepted") == false && record.has_port(port)
    });
    let finished = tracer.stop();
    assert_has(
        &finished,
        &[
            "start",
            "listen",
            "unlisten",
            "connect",
            "established",
            "failed",
            "accept",
            "close",
            "stop",
        ],
    );
}

#[test]
fn loss_is_as_published() {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let tracer = Tracer::on(Rung::Auto, &netns, &["--buffer", "4K"]);
    tracer.halt();
    peer::run(&netns, &["flood", &target, "100"]);
    tracer.signal(Signal::SIGCONT);
    tracer.wait("loss", |record| record.event() == "loss");
    let finished = tracer.stop();
    server.finish();
    assert_has(&finished, &["start", "loss", "stop"]);
}

/// A record of each shape that is as published.
fn examples() -> [Value; 3] {
    let head = json!({"time": "2026-01-02T03:04:05.000000006Z", "seq": 7, "host": "web1"});
    let process =
        json!({"pid": 5, "tid": 6, "name": "curl", "start_time": "2026-01-02T03:04:05.06Z"});
    let close = json!({
        "event": "close", "id": "1f-0", "protocol": "tcp", "family": "ipv4", "direction": "outbound",
        "direction_source": "observed", "state": "CLOSED", "outcome": "finished", "retransmits": 0,
        "local": {"ip": "10.0.0.1", "port": 40000}, "duration_us": 5, "netns": 4_026_531_840_u32,
        "remote": {"ip": "2001:db8::1", "port": 443, "scope": "documentation"},
        "bytes": {"sent": 1, "received": 2}, "community_id": "1:wCb3OG7yAFWelaUydu0D+125CLM=",
        "attribution": "connect", "process": process, "user": {"uid": 0, "gid": 0},
        "cgroup": {"id": 1, "path": "/"},
    });
    let failed = json!({
        "event": "failed", "id": "1f-0", "protocol": "tcp", "family": "ipv4", "direction": "outbound",
        "direction_source": "observed", "state": "CLOSED", "outcome": "denied", "error": "EPERM",
        "retransmits": 0, "netns": 1, "remote": {"ip": "10.0.0.2", "port": 80},
        "attribution": "none",
    });
    let loss = json!({
        "event": "loss", "lost": {"ring_full": 3}, "since": "2026-01-02T03:04:05.000000006Z",
    });
    [close, failed, loss].map(|mut record| {
        let fields = record.as_object_mut().unwrap();
        fields.extend(head.as_object().unwrap().clone());
        record
    })
}

/// The record, with the value at a path such as `/bytes/sent` replaced; `None`: taken away.
fn changed(record: &Value, path: &str, value: Option<Value>) -> Record {
    let mut record = record.clone();
    let (above, key) = path.rsplit_once('/').unwrap();
    let fields = record.pointer_mut(above).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(key.to_owned(), value),
        None => fields.remove(key),
    };
    Record(record)
}

#[test]
fn the_examples_are_as_published() {
    for example in examples() {
        let violations = violations(&Record(example));
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

#[test]
fn what_is_not_published_is_noticed() {
    let [close, failed, loss] = examples();
    let cases = [
        (&close, "/colour", Some(json!("red"))),
        (&close, "/process/colour", Some(json!("red"))),
        (&close, "/remote/name", Some(json!("example.org"))),
        (&close, "/service", Some(Value::Null)),
        (&close, "/service", Some(json!(""))),
        (&close, "/process/name", Some(json!(""))),
        (&close, "/event", Some(json!("open"))),
        (&close, "/time", Some(json!("2026-01-02T03:04:05Z"))),
        (&close, "/seq", Some(json!(0))),
        (&close, "/seq", None),
        (&close, "/bytes", None),
        (&close, "/bytes/sent", Some(json!("1"))),
        (&close, "/local/port", Some(json!(65536))),
        (&close, "/local/ip", Some(json!("localhost"))),
        (&close, "/direction_source", None),
        (&close, "/duration_us", None),
        (&close, "/open_before", Some(json!(false))),
        (&close, "/outcome", Some(json!("refused"))),
        (&close, "/user", None),
        (&close, "/attribution", Some(json!("none"))),
        (&failed, "/outcome", Some(json!("finished"))),
        (&failed, "/remote", None),
        (&failed, "/bytes", Some(json!({"sent": 0, "received": 0}))),
        (&failed, "/attribution", Some(json!("connect"))),
        (&loss, "/lost", Some(json!({}))),
        (&loss, "/detached", Some(json!([]))),
        (&loss, "/detached", Some(json!([{"program": "x"}]))),
        (&loss, "/lost/bad_luck", Some(json!(1))),
        (&loss, "/lost/ring_full", Some(json!(0))),
    ];
    for (record, path, value) in cases {
        let wrong = changed(record, path, value.clone());
        assert!(!violations(&wrong).is_empty(), "{path}: {value:?}");
    }
}
