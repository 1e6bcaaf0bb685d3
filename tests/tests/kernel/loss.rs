//! Loss is told and accounted for, and there is none where there need not be.

use nix::sys::signal::Signal;
use tracer_tests::{
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    a_ring_that_is_full_is_told,
    many_short_connections_lose_nothing
);

fn a_ring_that_is_full_is_told(rung: Rung) {
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let tracer = Tracer::on(rung, &netns, &["--buffer", "4K"]);
    tracer.signal(Signal::SIGSTOP);
    peer::run(&netns, &["flood", &target, "100"]);
    tracer.signal(Signal::SIGCONT);
    let loss = tracer.wait("loss", |record| record.event() == "loss");
    let lost = loss.number("lost.ring_full").unwrap();
    assert!(lost > 0);
    assert!(loss.text("since") < loss.text("time"));
    let finished = tracer.stop();
    server.finish();
    finished.assert_totals_add_up();
    assert_eq!(finished.status.code(), Some(3));
    let told: u64 = finished
        .records
        .iter()
        .filter_map(|record| record.number("lost.ring_full"))
        .sum();
    assert_eq!(finished.stop().number("kernel.lost.ring_full"), Some(told));
}

fn many_short_connections_lose_nothing(rung: Rung) {
    let count = if std::env::var_os("PEER").is_some() {
        500
    } else {
        20_000
    };
    let netns = Netns::new();
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    let tracer = Tracer::on(
        rung,
        &netns,
        &["--event", "close", "--direction", "outbound"],
    );
    let client = peer::run(&netns, &["flood", &target, &count.to_string()]);
    let last = peer::run(&netns, &["flood", &target, "1"]);
    tracer.event("close", port, last);
    let finished = tracer.stop();
    server.finish();
    finished.assert_totals_add_up();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(finished.stop().at("kernel.lost"), &serde_json::json!({}));
    let closes = finished
        .records
        .iter()
        .filter(|record| record.event() == "close");
    let of_client = closes.filter(|record| record.number("process.pid") == Some(client));
    assert_eq!(of_client.count(), count);
}
