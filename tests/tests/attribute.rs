//! `conntracer flows attribute`: a router exports what it forwards, and the host that made it recorded itself.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::channel,
    thread::JoinHandle,
    time::SystemTime,
};

use nix::sys::signal::Signal;
use tracer_tests::{
    conntracer, netns::Netns, record::Record, schema::violations_of_flow, scratch::Scratch,
    signals, wait_until,
};

/// Processes that connect, and how often each does.
const CLIENTS: usize = 5;
const EACH: usize = 200;
/// What answers, as often. It closes last: who closes first keeps its port for a minute, so that no client has one
/// twice.
const SERVER: &str = "\
import socket
s = socket.socket()
s.bind(('', 443))
s.listen(1024)
print('listening', flush=True)
while True:
    c, _ = s.accept()
    c.recv(100)
    c.send(b'y' * 200)
    c.recv(100)
    c.close()
";
/// Connects, and says from which ports.
const CLIENT: &str = "\
import os, socket, sys
for _ in range(int(sys.argv[1])):
    c = socket.create_connection((sys.argv[2], 443))
    print(c.getsockname()[1], os.getpid())
    c.send(b'x' * 50)
    c.recv(200, socket.MSG_WAITALL)
    c.close()
";

/// An address of the server.
const OWN: &str = "203.0.113.2";
/// Networks of which it has no address, and answers for all: to who looks from outside, external ones.
const BEHIND: &str = "203.0.113.64/26";

/// Starts a program in a namespace.
fn start(netns: &Netns, words: &[&str]) -> Child {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (give, take) = channel();
    netns.within(move || {
        give.send(command.spawn()?)?;
        Ok(())
    });
    take.recv().unwrap()
}

/// A socket of a namespace.
fn socket(netns: &Netns, address: &'static str) -> UdpSocket {
    let (give, take) = channel();
    netns.within(move || {
        give.send(UdpSocket::bind(address)?)?;
        Ok(())
    });
    take.recv().unwrap()
}

/// Runs one in a namespace, to its end.
fn run(netns: &Netns, words: &[&str]) -> String {
    let output = start(netns, words).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Ends a process that goes on for ever.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host behind a router that translates its addresses, and a server on the other side.
struct Networks {
    host: Netns,
    router: Netns,
    server: Netns,
}

impl Networks {
    fn new() -> Self {
        let all = Self {
            host: Netns::new(),
            router: Netns::new(),
            server: Netns::new(),
        };
        // A process by which `ip` finds a namespace.
        let inside = Server(start(&all.router, &["cat"]));
        let router = inside.0.id().to_string();
        for (netns, device, peer, own, gateway) in [
            (&all.host, "host0", "inner", "10.9.1.2/24", "10.9.1.1/24"),
            (
                &all.server,
                "server0",
                "outer",
                "203.0.113.2/24",
                "203.0.113.1/24",
            ),
        ] {
            let ip = |netns: &Netns, line: &str| {
                let words: Vec<&str> = line.split(' ').collect();
                run(netns, &[&["ip"], words.as_slice()].concat());
            };
            ip(
                netns,
                &format!("link add {device} type veth peer name {peer} netns {router}"),
            );
            for (netns, device, address) in [(netns, device, own), (&all.router, peer, gateway)] {
                ip(netns, &format!("addr add {address} dev {device}"));
                ip(netns, &format!("link set {device} up"));
            }
        }
        run(
            &all.host,
            &["ip", "route", "add", "default", "via", "10.9.1.1"],
        );
        all.router.sysctl("net.ipv4.ip_forward", "1");
        let mut nft = start(&all.router, &["nft", "-f", "-"]);
        let rules = "table ip nat { chain out { type nat hook postrouting priority 100; oifname outer masquerade; }; }";
        nft.stdin
            .take()
            .unwrap()
            .write_all(rules.as_bytes())
            .unwrap();
        assert!(nft.wait().unwrap().success());
        all
    }

    /// Starts what answers, and waits until it does.
    fn serve(&self) -> Server {
        let mut server = Server(start(&self.server, &["python3", "-c", SERVER]));
        let mut ready = [0; 10];
        let stdout = server.0.stdout.take();
        stdout.unwrap().read_exact(&mut ready).unwrap();
        server
    }

    /// Has so many clients connect to an address, each so often; from which port which process did.
    fn talk(&self, clients: usize, each: usize, to: &str) -> HashMap<u64, u64> {
        let each = each.to_string();
        let clients: Vec<Child> = (0..clients)
            .map(|_| start(&self.host, &["python3", "-c", CLIENT, &each, to]))
            .collect();
        let mut made = HashMap::new();
        for client in clients {
            let output = client.wait_with_output().unwrap();
            assert!(output.status.success());
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                let (port, pid) = line.split_once(' ').unwrap();
                made.insert(port.parse().unwrap(), pid.parse().unwrap());
            }
        }
        made
    }
}

/// What records a namespace, until it is ended.
struct Recording {
    /// Seconds since 1970 when nothing was missed any more.
    began: i64,
    tracer: Child,
    all: JoinHandle<u64>,
}

impl Recording {
    fn start(netns: &Netns, path: &str, flags: &[&str]) -> Self {
        let inode = netns.inode().to_string();
        let mut tracer = Command::new(conntracer())
            .args(["--netns", &inode, "--record", path, "-o", "json"])
            // Networks of other tests have the same addresses.
            .arg("--record-selected")
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(tracer.stdout.take().unwrap());
        // The first record: from here on nothing is missed.
        told.read_line(&mut String::new()).unwrap();
        let all =
            std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()).unwrap());
        Self {
            began: now(),
            tracer,
            all,
        }
    }

    /// Ends it, once it has a whole second: which that is.
    fn end(mut self) -> i64 {
        wait_until("a whole second is recorded", || now() >= self.began + 2);
        signals::send(self.tracer.id(), Signal::SIGINT);
        assert!(self.tracer.wait().unwrap().code().is_some());
        self.all.join().unwrap();
        self.began + 1
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}

/// What softflowd exports of what an interface of the router forwards, as packets one after the other.
struct Exporter<'a> {
    router: &'a Netns,
    child: Child,
    control: String,
    socket: UdpSocket,
}

impl<'a> Exporter<'a> {
    fn start(router: &'a Netns, interface: &str, scratch: &Scratch) -> Self {
        let socket = socket(router, "127.0.0.1:0");
        let to = socket.local_addr().unwrap().to_string();
        let control = scratch.file("softflowd.ctl");
        let pid = scratch.file("softflowd.pid");
        let words = [
            "-i", interface, "-n", &to, "-v", "9", "-A", "milli", "-d", "-p", &pid, "-c", &control,
        ];
        let child = start(router, &[&["softflowd"], &words[..]].concat());
        let path = control.clone();
        wait_until("softflowd listens", || Path::new(&path).exists());
        Self {
            router,
            child,
            control,
            socket,
        }
    }

    /// Waits until it has seen so many connections, and ends it. All that it exported. What it has captured it looks at
    /// when more comes, which `more` sends.
    fn end(mut self, connections: usize, more: &UdpSocket) -> Vec<u8> {
        wait_until("softflowd has seen all connections", || {
            more.send_to(b"more", "203.0.113.2:9").unwrap();
            let known = run(
                self.router,
                &["softflowctl", "-c", &self.control, "dump-flows"],
            );
            known.matches(" proto:6 ").count() >= connections
        });
        run(
            self.router,
            &["softflowctl", "-c", &self.control, "shutdown"],
        );
        self.child.wait().unwrap();
        self.socket.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        let mut packet = vec![0; 1 << 16];
        while let Ok(length) = self.socket.recv(&mut packet) {
            all.extend_from_slice(&packet[..length]);
        }
        all
    }
}

fn attribute(words: &[&str]) -> (Vec<Record>, Output) {
    let mut command = Command::new(conntracer());
    let output = command
        .args(["flows", "attribute", "-o", "json"])
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let flows = text
        .lines()
        .map(|line| Record(serde_json::from_str(line).unwrap()));
    (flows.collect(), output)
}

#[test]
fn each_flow_of_a_router_has_the_process_that_made_it() {
    let scratch = Scratch::new();
    let networks = Networks::new();
    let _server = networks.serve();
    let softflowd = Exporter::start(&networks.router, "inner", &scratch);
    let recording = scratch.file("case.rec");
    let tracer = Recording::start(&networks.host, &recording, &[]);
    let made = networks.talk(CLIENTS, EACH, OWN);
    assert_eq!(made.len(), CLIENTS * EACH);
    let exported = softflowd.end(made.len(), &socket(&networks.host, "0.0.0.0:0"));
    let second = tracer.end();

    let exports = scratch
        .write("exports.dat", &exported)
        .display()
        .to_string();
    let (flows, output) = attribute(&[&exports, "--from", &recording, "--protocol", "tcp"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for flow in &flows[..10] {
        assert_eq!(violations_of_flow(flow), [] as [String; 0], "{flow:?}");
    }
    // One each way.
    assert_eq!(flows.len(), 2 * made.len(), "{said}");
    let port_of = |flow: &Record| {
        let ends = ["source", "destination"];
        let own = ends
            .iter()
            .find(|end| flow.text(&format!("{end}.ip")) == "10.9.1.2");
        flow.number(&format!("{}.port", own.unwrap())).unwrap()
    };
    let mut right = 0;
    for flow in &flows {
        if let Some(pid) = flow.number("process.pid") {
            assert_eq!(Some(&pid), made.get(&port_of(flow)), "{flow:?}");
            right += 1;
        }
    }
    assert!(
        right * 100 >= flows.len() * 99,
        "{right} of {}: {said}",
        flows.len()
    );
    assert!(said.contains("clocks of devices are"), "{said}");

    // Of one process only, as of connections.
    let pid = made.values().next().unwrap();
    let (of_one, output) = attribute(&[&exports, "--from", &recording, "--pid", &pid.to_string()]);
    assert!(output.status.success());
    let is_right = |flow: &Record| flow.number("process.pid") == Some(*pid);
    assert!(of_one.iter().all(is_right));
    assert_eq!(
        of_one.len(),
        flows.iter().filter(|flow| is_right(flow)).count()
    );
    assert!(!of_one.is_empty());

    tells_what_nobody_made(&scratch, &recording, second);
}

#[test]
fn what_the_host_itself_translates_has_its_process() {
    let scratch = Scratch::new();
    // The router is the host now, and the namespace behind it a container.
    let networks = Networks::new();
    let _server = networks.serve();
    let softflowd = Exporter::start(&networks.router, "outer", &scratch);
    let recording = scratch.file("case.rec");
    let tracer = Recording::start(&networks.host, &recording, &[]);
    let made = networks.talk(3, 10, OWN);
    let exported = softflowd.end(made.len(), &socket(&networks.host, "0.0.0.0:0"));
    tracer.end();
    let exports = scratch.write("exports.dat", &exported);
    let words = [exports.to_str().unwrap(), "--from", &recording];
    let host = ["--address", "203.0.113.1", "--protocol", "tcp"];
    let (flows, output) = attribute(&[&words[..], &host].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(flows.len(), 2 * made.len(), "{said}");
    for flow in &flows {
        assert_eq!(violations_of_flow(flow), [] as [String; 0], "{flow:?}");
        assert_eq!(flow.text("match"), "translated", "{flow:?}");
        let ends = ["source", "destination"];
        let own = ends
            .iter()
            .find(|end| flow.text(&format!("{end}.ip")) == "203.0.113.1");
        let port = flow.number(&format!("{}.port", own.unwrap())).unwrap();
        // Masquerading keeps ports that are free, and all of these are.
        assert_eq!(flow.number("process.pid").as_ref(), made.get(&port));
    }
}

/// A line of a log of AWS, about the host.
fn line(port: u64, at: i64) -> String {
    format!("2 123456789010 eni-1 10.9.1.2 203.0.113.2 {port} 443 6 10 840 {at} {at} ACCEPT OK\n")
}

/// Whether nothing was lost of a recording.
fn is_complete(recording: &str) -> bool {
    let mut replay = Command::new(conntracer());
    let output = replay.args(["replay", recording, "-o", "json"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let stop = Record(serde_json::from_str(text.lines().next_back().unwrap()).unwrap());
    assert_eq!(stop.event(), "stop");
    stop.at("kernel.lost").as_object().unwrap().is_empty()
}

/// One of a time that was recorded, and one from before.
fn tells_what_nobody_made(scratch: &Scratch, recording: &str, second: i64) {
    let log = [line(1, second), line(1, second - 3600)].concat();
    let log = scratch.write("forged.log", log.as_bytes());
    let words = [log.to_str().unwrap(), "--from", recording];
    let (flows, output) = attribute(&[&words[..], &["--tolerance", "1ms"]].concat());
    let words: Vec<&str> = flows.iter().map(|flow| flow.text("match")).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    // On a machine that has much else to do something may have been lost then: nobody can say that it was not there.
    let is_lost = flows[0].text("match_reason").contains("were lost") && !is_complete(recording);
    let forged = if is_lost { "uncovered" } else { "absent" };
    assert_eq!(words, [forged, "uncovered"], "{said}");
}

#[test]
fn what_the_log_does_not_tell_of_is_found() {
    let scratch = Scratch::new();
    let networks = Networks::new();
    run(
        &networks.server,
        &["ip", "route", "add", "local", BEHIND, "dev", "lo"],
    );
    let _server = networks.serve();
    let recording = scratch.file("case.rec");
    let tracer = Recording::start(&networks.host, &recording, &["--external-cidr", BEHIND]);
    let logged = networks.talk(2, 3, "203.0.113.77");
    let unlogged = networks.talk(1, 1, "203.0.113.78");
    tracer.end();
    let now = now();
    // The device logged before it, and long enough after it to have told.
    let others = [(8, now - 600), (9, now + 600)];
    let lines = logged.keys().map(|port| (*port, now)).chain(others);
    let lines: String = lines.map(|(port, at)| line(port, at)).collect();
    let log = scratch.write("fw.log", lines.replace(OWN, "203.0.113.77").as_bytes());
    let words = [
        log.to_str().unwrap(),
        "--from",
        &recording,
        "--tolerance",
        "60s",
    ];
    let (flows, output) = attribute(&[&words[..], &["--unlogged"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let found: Vec<(&str, Option<u64>)> = flows
        .iter()
        .map(|flow| (flow.text("destination.ip"), flow.number("process.pid")))
        .collect();
    let pid = unlogged.values().next().copied();
    assert_eq!(found, [("203.0.113.78", pid)], "{said}");
    assert_eq!(flows[0].text("match"), "unlogged");
    assert_eq!(
        violations_of_flow(&flows[0]),
        [] as [String; 0],
        "{flows:?}"
    );
}
