//! Who owns a connection.

use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    on_every_rung, on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    scratch::Scratch,
    tracer::Tracer,
};

on_every_rung!(
    a_user_and_who_logged_in,
    a_cgroup_says_container_and_pod,
    a_child_of_a_fork,
    a_starter_that_is_gone_is_still_named,
    a_connection_closed_by_whom_it_was_handed_to,
    a_connection_kept_over_exec,
    a_program_that_removes_itself,
    a_thread_is_reported_under_its_process,
    a_hostile_name_stays_text,
);

on_outer_rungs!(own: another_network_namespace);

/// A server for clients that exchange ten bytes.
fn server(netns: &Netns) -> (Peer, u16, String) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    (server, port, format!("127.0.0.1:{port}"))
}

fn a_user_and_who_logged_in(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let client = peer::run(
        Netns::shared(),
        &[
            "--login", "1000", "--uid", "1234", "connect", &target, "10", "10",
        ],
    );
    let connect = tracer.event("connect", port, client);
    assert_eq!(connect.number("user.uid"), Some(1234));
    assert_eq!(connect.number("user.gid"), Some(1234));
    assert_eq!(connect.number("user.auid"), Some(1000));
    assert!(connect.number("user.session").is_some());
    assert_eq!(connect.at("user.euid"), &serde_json::Value::Null);
    let close = tracer.event("close", port, client);
    assert_eq!(close.at("user"), connect.at("user"));
    server.finish();
}

fn a_cgroup_says_container_and_pod(rung: Rung) {
    const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";
    let tracer = Tracer::shared(rung);
    let id = format!("{:032x}{:032x}", std::process::id(), rung as u8);
    let path = format!("/kubepods/burstable/pod{UID}/{id}");
    let cgroup = Cgroup::new(&path);
    let (server, port, target) = server(Netns::shared());
    let client = peer::run(
        Netns::shared(),
        &[
            "--cgroup",
            &cgroup.directory(),
            "connect",
            &target,
            "10",
            "10",
        ],
    );
    drop(cgroup);
    for event in ["connect", "close"] {
        let record = tracer.event(event, port, client);
        assert_eq!(record.text("cgroup.path"), path);
        assert_eq!(record.text("container.id"), id);
        assert_eq!(record.text("pod.uid"), UID);
        assert_eq!(record.at("unit"), &serde_json::Value::Null);
    }
    server.finish();
}

fn another_network_namespace(rung: Rung) {
    let netns = Netns::new();
    let tracer = Tracer::on(rung, &netns, &[]);
    // The same on the other side of the wall is not selected.
    for _ in 0..2 {
        let (server, _, target) = server(Netns::shared());
        peer::run(Netns::shared(), &["connect", &target, "10", "10"]);
        server.finish();
    }
    let (server, port, target) = server(&netns);
    let client = peer::run(&netns, &["connect", &target, "10", "10"]);
    server.finish();
    let connect = tracer.event("connect", port, client);
    assert_eq!(connect.number("netns"), Some(netns.inode()));
    tracer.event("close", port, client);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    for record in &finished.records {
        if let Some(found) = record.number("netns") {
            assert_eq!(found, netns.inode(), "{record:?}");
        }
    }
    assert!(finished.stop().number("kernel.selected_out").unwrap() >= 10);
}

fn a_child_of_a_fork(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let mut parent = Peer::start(Netns::shared(), &["fork-connect", &target]);
    // Parent and child speak in any order.
    let (one, other) = (parent.line(), parent.line());
    let pid = parent.pid();
    parent.finish();
    server.finish();
    // One says the port it got, the other which child it made. Ports alone tell nothing: another
    // test may have been given the same one before.
    let connect = tracer.wait("connect of the child", |record| {
        let child = record.at("process.pid").to_string();
        record.event() == "connect" && record.has_port(port) && [&one, &other].contains(&&child)
    });
    let child = connect.number("process.pid").unwrap();
    assert_ne!(child, pid);
    assert_eq!(connect.number("process.parent.pid"), Some(pid));
    let args = connect.at("process.args").as_array().unwrap();
    assert!(args.iter().any(|arg| arg == "fork-connect"), "{args:?}");
    assert_eq!(
        connect.at("process.args"),
        connect.at("process.parent.args")
    );
    let close = tracer.event("close", port, child);
    assert_eq!(close.at("process"), connect.at("process"));
}

fn a_starter_that_is_gone_is_still_named(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, _, target) = server(Netns::shared());
    let starter = peer::run(Netns::shared(), &["orphan", "connect", &target, "10", "10"]);
    server.finish();
    let connect = tracer.wait("connect of the orphan", |record| {
        record.event() == "connect" && record.number("process.parent.pid") == Some(starter)
    });
    let args = connect.at("process.parent.args").as_array().unwrap();
    assert!(args.iter().any(|arg| arg == "orphan"), "{args:?}");
    let ancestry = connect.at("ancestry").as_array().unwrap();
    assert_eq!(ancestry[0]["pid"], starter);
    assert_eq!(ancestry[1]["pid"], std::process::id());
}

fn a_connection_closed_by_whom_it_was_handed_to(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let mut opener = Peer::start(Netns::shared(), &["fork-close", &target]);
    let opener_pid = opener.pid();
    opener.port();
    let child: u64 = opener.line().parse().unwrap();
    tracer.event("established", port, opener_pid);
    opener.finish();
    server.finish();
    let close = tracer.event("close", port, child);
    assert_eq!(close.number("opened_by.pid"), Some(opener_pid));
    assert_eq!(close.text("attribution"), "connect");
    assert_eq!(
        tracer.events_of(close.id()),
        ["connect", "established", "close"]
    );
}

fn a_connection_kept_over_exec(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let client = peer::run(Netns::shared(), &["exec", &target]);
    server.finish();
    let has_arg = |record: &Record, wanted: &str| {
        let args = record.at("process.args").as_array().unwrap();
        args.iter().any(|arg| arg == wanted)
    };
    let connect = tracer.event("connect", port, client);
    assert!(has_arg(&connect, target.as_str()));
    let close = tracer.event("close", port, client);
    assert!(has_arg(&close, "inherited"), "{close:?}");
    assert_eq!(close.text("attribution"), "connect");
    // It is still the same process.
    assert_eq!(close.at("opened_by"), &serde_json::Value::Null);
}

fn a_program_that_removes_itself(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let scratch = Scratch::new();
    let copy = scratch.file("copy");
    let words = ["--vanish", &copy, "connect", &target, "10", "10"];
    let client = peer::run(Netns::shared(), &words);
    for event in ["connect", "close"] {
        let record = tracer.event(event, port, client);
        assert_eq!(record.text("process.exe"), copy);
        assert_eq!(record.at("process.exe_deleted"), true, "{record:?}");
    }
    server.finish();
}

fn a_thread_is_reported_under_its_process(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    let mut client = Peer::start(Netns::shared(), &["threads", &target]);
    let thread: u64 = client.line().parse().unwrap();
    let pid = client.pid();
    client.finish();
    server.finish();
    let connect = tracer.event("connect", port, pid);
    assert_eq!(connect.number("process.tid"), Some(thread));
    assert_eq!(connect.text("process.name"), "peer");
}

fn a_hostile_name_stays_text(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let (server, port, target) = server(Netns::shared());
    // ESC [ 2 J, 0xff, newline, x
    let client = peer::run(
        Netns::shared(),
        &[
            "--name",
            "27,91,50,74,255,10,120",
            "connect",
            &target,
            "10",
            "10",
        ],
    );
    server.finish();
    let connect = tracer.event("connect", port, client);
    assert_eq!(connect.text("process.name"), "\u{1b}[2J\u{fffd}\nx");
}
