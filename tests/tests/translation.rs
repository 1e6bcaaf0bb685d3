//! Connections whose addresses netfilter translates.

use std::{io::Write as _, process::Stdio};

use tracer_tests::{
    netns::Netns,
    peer::{self, Peer},
    record::events,
    tracer::Tracer,
};

/// What `nft` makes of what leaves a namespace for a port: it goes to another.
fn redirect(netns: &Netns, from: u16, [family, protocol]: [&'static str; 2], to: String) {
    netns.within(move || {
        let rules = format!(
            "table {family} test {{ chain out {{ type nat hook output priority -100; \
             {protocol} dport {from} dnat to {to}; }}; }}"
        );
        let mut nft = std::process::Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()?;
        let mut stdin = nft
            .stdin
            .take()
            .ok_or_else(|| anyhow::anyhow!("no stdin"))?;
        stdin.write_all(rules.as_bytes())?;
        drop(stdin);
        anyhow::ensure!(nft.wait()?.success(), "nft refuses");
        Ok(())
    });
}

#[test]
fn where_the_packets_went_is_told() {
    const ASKED: u16 = 8443;
    for (family, ip) in [("ip", "127.0.0.1"), ("ip6", "::1")] {
        let netns = Netns::new();
        let inode = netns.inode().to_string();
        let tracer = Tracer::start(&["--netns", &inode]);
        let at = |port| std::net::SocketAddr::new(ip.parse().unwrap(), port).to_string();
        let mut server = Peer::start(&netns, &["serve", &at(0), "2", "10", "10"]);
        let port = server.port();
        redirect(&netns, ASKED, [family, "tcp"], at(port));
        let translated = peer::run(&netns, &["connect", &at(ASKED), "10", "10"]);
        let plain = peer::run(&netns, &["connect", &at(port), "10", "10"]);
        server.finish();
        let close = tracer.event("close", ASKED, translated);
        let records = tracer.of(close.id());
        assert_eq!(events(&records), ["connect", "established", "close"]);
        let went = serde_json::json!({"ip": ip, "port": port});
        for record in &records {
            assert_eq!(record.endpoint("remote"), (ip, Some(ASKED.into())));
            // The SYN has not left yet when its record is made.
            let is_known = record.event() != "connect";
            let told = record.at("translated");
            assert_eq!(
                told,
                if is_known {
                    &went
                } else {
                    &serde_json::Value::Null
                }
            );
        }
        let plain = tracer.event("close", port, plain);
        assert_eq!(plain.at("translated"), &serde_json::Value::Null);
        tracer.stop().assert_totals_add_up();
    }
}

/// Whether the socket has a peer or names it with each datagram: there is one flow, with whom it sent to and
/// who answers, and what came of that.
#[test]
fn where_datagrams_went_is_told() {
    const ASKED: u16 = 5353;
    for (family, ip) in [("ip", "127.0.0.1"), ("ip6", "::1")] {
        let netns = Netns::new();
        let inode = netns.inode().to_string();
        let tracer = Tracer::start(&["--netns", &inode]);
        let at = |port| std::net::SocketAddr::new(ip.parse().unwrap(), port).to_string();
        let mut server = Peer::start(&netns, &["answer", &at(0), "3", "10"]);
        let port = server.port();
        redirect(&netns, ASKED, [family, "udp"], at(port));
        let went = serde_json::json!({"ip": ip, "port": port});
        let to = at(ASKED);
        let ask: &[&str] = &["ask", "2", "10", &to];
        let talk: &[&str] = &["talk", &to];
        for (words, packets) in [(ask, 2), (talk, 1)] {
            let mut client = Peer::start(&netns, words);
            assert_eq!(client.line(), "asked");
            let pid = client.pid();
            client.finish();
            let close = tracer.event("close", ASKED, pid);
            let records = tracer.of(close.id());
            assert_eq!(events(&records), ["connect", "close"]);
            for record in &records {
                assert_eq!(record.endpoint("remote"), (ip, Some(ASKED.into())));
                assert_eq!(record.at("translated"), &went);
                assert_eq!(record.at("requested"), &serde_json::Value::Null);
            }
            let moved = serde_json::json!({"sent": packets, "received": packets});
            assert_eq!(close.at("packets"), &moved);
        }
        server.finish();
        tracer.stop().assert_totals_add_up();
    }
}
