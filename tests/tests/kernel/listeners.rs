//! Listeners.

use tracer_tests::{
    netns::Netns,
    on_every_rung,
    peer::{self, Peer},
    rung::Rung,
    tracer::Tracer,
};

on_every_rung!(
    a_listener_begins_and_ends,
    a_listener_that_fails_never_was,
    a_listener_without_a_bind_has_the_port_it_got,
);

fn a_listener_begins_and_ends(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(Netns::shared(), &["never-accept", "127.0.0.1:0"]);
    let port = server.port();
    let pid = server.pid();
    let listen = tracer.event("listen", port, pid);
    assert_eq!(listen.text("direction"), "listening");
    assert_eq!(listen.text("state"), "LISTEN");
    assert_eq!(listen.text("attribution"), "listen");
    assert_eq!(listen.text("local.ip"), "127.0.0.1");
    assert_eq!(listen.at("remote"), &serde_json::Value::Null);
    server.finish();
    let unlisten = tracer.event("unlisten", port, pid);
    assert_eq!(unlisten.id(), listen.id());
    assert_eq!(tracer.events_of(listen.id()), ["listen", "unlisten"]);
}

fn a_listener_that_fails_never_was(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(Netns::shared(), &["listen-twice"]);
    let port = server.port();
    let pid = server.pid();
    server.finish();
    tracer.event("unlisten", port, pid);
    // The end of a listener that comes later shows that nothing more is on its way.
    let barrier = peer::run(Netns::shared(), &["listen-unbound"]);
    tracer.wait("barrier", |record| {
        record.event() == "unlisten" && record.number("process.pid") == Some(barrier)
    });
    let of_port: Vec<String> = tracer
        .records()
        .iter()
        .filter(|record| record.has_port(port) && record.number("process.pid") == Some(pid))
        .map(|record| record.event().to_owned())
        .collect();
    assert_eq!(of_port, ["listen", "unlisten"]);
}

fn a_listener_without_a_bind_has_the_port_it_got(rung: Rung) {
    let tracer = Tracer::shared(rung);
    let mut server = Peer::start(Netns::shared(), &["listen-unbound"]);
    let port = server.port();
    let pid = server.pid();
    server.finish();
    let listen = tracer.event("listen", port, pid);
    assert_eq!(listen.text("local.ip"), "0.0.0.0");
    tracer.event("unlisten", port, pid);
}
