//! Selection, in the kernel and in user space.

use tracer_tests::{
    cgroup::Cgroup,
    netns::Netns,
    on_every_rung, on_outer_rungs,
    peer::{self, Peer},
    record::Record,
    rung::Rung,
    tracer::{Finished, Tracer},
};

use crate::loss::flood_size;

on_every_rung!(own: what_is_not_selected_is_not_carried);

on_outer_rungs!(
    own:
    any_is_enough,
    a_cgroup_that_is_made_later,
    user_space_selects_after_the_kernel,
);

/// One exchange of nothing with a server; the server's port and the client's process.
fn exchange(netns: &Netns, words: &[&str]) -> (u16, u64) {
    let mut server = Peer::start(netns, &["serve", "127.0.0.1:0", "1", "0", "0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let mut all = words.to_vec();
    all.extend(["connect", &target, "0", "0"]);
    let client = peer::run(netns, &all);
    server.finish();
    (port, client)
}

/// Ends the tracer once a later exchange that is selected shows that nothing more is on its way.
fn finish(tracer: Tracer, port: u16, client: u64) -> Finished {
    tracer.event("close", port, client);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    finished
}

fn what_is_not_selected_is_not_carried(rung: Rung) {
    // Emulated machines take a tenth of a second for each.
    let count = flood_size().min(500);
    let netns = Netns::new();
    let mut unwanted = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let mut wanted = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let (unwanted_port, port) = (unwanted.port(), wanted.port());
    let tracer = Tracer::on(rung, &netns, &["--port", &port.to_string()]);
    let target = format!("127.0.0.1:{unwanted_port}");
    peer::run(&netns, &["flood", &target, &count.to_string()]);
    let client = peer::run(&netns, &["flood", &format!("127.0.0.1:{port}"), "1"]);
    tracer.event("close", port, client);
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    unwanted.finish();
    wanted.finish();
    assert!(
        finished
            .records
            .iter()
            .all(|record| !record.has_port(unwanted_port)),
        "what was not selected was written"
    );
    let stop = finished.stop();
    assert_eq!(stop.number("output.suppressed"), Some(0));
    // Five records for each connection: connect, established, accept and two closes, and one for the
    // listener that was there before. An accept of the port may come after the connection has ended,
    // and then is none.
    let selected_out = stop.number("kernel.selected_out").unwrap();
    assert!(selected_out >= count * 4, "{selected_out}");
    assert!(stop.number("kernel.delivered").unwrap() <= 6);
}

fn any_is_enough(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "0", "0"]);
    let first = server.port();
    let flags = [
        "--hooks",
        rung.hooks(),
        "--any",
        "--port",
        &first.to_string(),
        "--user",
        "1234",
    ];
    let tracer = Tracer::start(&flags);
    let client = peer::run(
        &netns,
        &["connect", &format!("127.0.0.1:{first}"), "0", "0"],
    );
    server.finish();
    let (_, other) = exchange(&netns, &[]);
    let (second, user) = exchange(&netns, &["--uid", "1234"]);
    tracer.event("close", first, client);
    let finished = finish(tracer, second, user);
    let is_of = |pid: u64| {
        finished
            .records
            .iter()
            .any(|record| record.number("process.pid") == Some(pid))
    };
    assert!(is_of(client) && is_of(user));
    assert!(!is_of(other));
}

fn a_cgroup_that_is_made_later(rung: Rung) {
    let netns = Netns::new();
    let name = format!("/conntracer-later-{}-{}", std::process::id(), rung as u8);
    let tracer = Tracer::on(rung, &netns, &["--cgroup", &name]);
    let (_, other) = exchange(&netns, &[]);
    let cgroup = Cgroup::new(&format!("{name}/below"));
    let (port, client) = exchange(&netns, &["--cgroup", &cgroup.directory()]);
    let finished = finish(tracer, port, client);
    for record in &finished.records {
        assert_ne!(record.number("process.pid"), Some(other));
    }
}

fn user_space_selects_after_the_kernel(rung: Rung) {
    let netns = Netns::new();
    let flags = ["--direction", "outbound", "--not-event", "established"];
    let tracer = Tracer::on(rung, &netns, &flags);
    let (port, client) = exchange(&netns, &[]);
    let finished = finish(tracer, port, client);
    let told = finished.without_losses().into_iter();
    let events: Vec<&str> = told.map(Record::event).collect();
    assert_eq!(events, ["start", "connect", "close", "stop"]);
    let stop = finished.stop();
    assert!(stop.number("output.suppressed").unwrap() >= 3);
}
