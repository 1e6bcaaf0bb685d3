//! `conntracer flows listen`: what other devices send.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use nix::sys::signal::Signal;
use tracer_tests::{conntracer, record::Record, schema::violations_of_flow, signals};

/// A running listener, which ends by itself if what a test waits for does not come.
struct Listener {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
    netflow: SocketAddr,
    sflow: SocketAddr,
    syslog: SocketAddr,
}

impl Listener {
    fn start() -> Self {
        let mut command = Command::new(conntracer());
        let any = "127.0.0.1:0";
        command.args(["flows", "listen", "--netflow", any, "--sflow", any]);
        command.args(["--syslog", any, "-o", "json", "--duration", "60s"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut bound = || {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            let (_, address) = line.trim_end().rsplit_once(' ').unwrap();
            address.parse().unwrap_or_else(|_| panic!("{line}"))
        };
        Self {
            netflow: bound(),
            sflow: bound(),
            syslog: bound(),
            told: BufReader::new(child.stdout.take().unwrap()).lines(),
            stderr,
            child,
        }
    }

    /// The next line that it writes.
    fn line(&mut self) -> String {
        let line = self.told.next();
        line.unwrap_or_else(|| panic!("it has ended")).unwrap()
    }

    /// The next flow that it tells.
    fn next(&mut self) -> Record {
        let flow = Record(serde_json::from_str(&self.line()).unwrap());
        assert_eq!(violations_of_flow(&flow), [] as [String; 0], "{flow:?}");
        flow
    }

    /// Ends it: how many more flows it tells, its exit code, and what it says.
    fn end(mut self) -> (usize, Option<i32>, String) {
        signals::send(self.child.id(), Signal::SIGTERM);
        let more = self.told.count();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (more, self.child.wait().unwrap().code(), said)
    }
}

/// Somebody who sends datagrams.
fn sender() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read(tests.join("fixtures").join(name)).unwrap()
}

/// `NetFlow` 5 of one flow, the `number`th of its exporter.
fn packet(number: u32) -> Vec<u8> {
    let mut packet = fixture("netflow/netflow5.dat")[..24 + 48].to_vec();
    packet[2..4].copy_from_slice(&1_u16.to_be_bytes());
    packet[16..20].copy_from_slice(&number.to_be_bytes());
    packet
}

#[test]
fn packets_and_lines_are_told_as_they_come() {
    let mut listener = Listener::start();
    let exporter = sender();
    exporter.send_to(&packet(1), listener.netflow).unwrap();
    let flow = listener.next();
    assert_eq!(flow.text("format"), "netflow5");
    let name = exporter.local_addr().unwrap().to_string();
    assert_eq!(flow.text("origin.exporter"), name);
    assert_eq!(flow.text("device"), "127.0.0.1");
    // Its records are of a template that comes later.
    let ipfix = |part: &str| fixture(&format!("netflow/ipfix_test_openbsd_pflow_{part}.dat"));
    exporter.send_to(&ipfix("data"), listener.netflow).unwrap();
    exporter.send_to(&ipfix("tpl"), listener.netflow).unwrap();
    assert_eq!(listener.next().text("format"), "ipfix");
    let sample = sample();
    sender().send_to(&sample, listener.sflow).unwrap();
    // Those of one packet come together.
    let sampled = std::iter::repeat_with(|| listener.next());
    let mut sampled = sampled.skip_while(|flow| flow.text("format") == "ipfix");
    let flow = sampled.next().unwrap();
    assert_eq!(flow.text("format"), "sflow");
    assert_eq!(flow.number("destination.port"), Some(443));
    drop(sampled);
    // Of a device that sends datagrams, and of one that has a connection, in either way of RFC 6587.
    let panos = String::from_utf8(fixture("flows/panos.log")).unwrap();
    let panos = panos.lines().next().unwrap();
    sender().send_to(panos.as_bytes(), listener.syslog).unwrap();
    let flow = listener.next();
    assert_eq!(flow.text("format"), "panos-traffic");
    assert_eq!(flow.text("origin.file"), "127.0.0.1");
    let mut stream = TcpStream::connect(listener.syslog).unwrap();
    let message = if panos.starts_with('<') {
        panos.to_owned()
    } else {
        format!("<14>{panos}")
    };
    writeln!(stream, "{} {message}{message}", message.len()).unwrap();
    for number in [2, 3] {
        assert_eq!(listener.next().number("origin.line"), Some(number));
    }
    let (more, code, said) = listener.end();
    assert_eq!((more, code), (0, Some(0)), "{said}");
    assert!(said.contains("could not be read: 0"), "{said}");
}

/// A sample of sFlow 5 (<https://sflow.org/sflow_version_5.txt>): one packet of 256, TCP to port 443.
fn sample() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 5, 203, 0, 113, 9,
    ];
    packet.extend([0xcc, 0x78, 0x01, 0xbb]);
    packet.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let length = u32::try_from(packet.len()).unwrap();
    let parts: [Vec<u8>; 4] = [
        words(&[5, 1, 0xc000_0201, 0, 7, 1000, 1]),
        words(&[1, 32 + 8 + 16 + length, 1, 1, 256, 256, 0, 3, 4, 1]),
        words(&[1, 16 + length, 11, length, 0, length]),
        packet,
    ];
    parts.concat()
}

#[test]
fn what_was_missed_is_told_by_the_numbers_of_an_exporter() {
    let mut listener = Listener::start();
    let exporter = sender();
    for number in [1, 2, 5] {
        exporter.send_to(&packet(number), listener.netflow).unwrap();
        listener.next();
    }
    let (_, code, said) = listener.end();
    assert_eq!(code, Some(3), "{said}");
    let name = exporter.local_addr().unwrap();
    let sentence = format!("{name}, netflow5, domain 0: 2 missed, by its numbers; 3 packets came");
    assert!(said.contains(&sentence), "{said}");
}

#[test]
fn nonsense_takes_nothing_with_it() {
    let mut listener = Listener::start();
    let exporter = sender();
    let whole = packet(1);
    for length in 0..whole.len() {
        exporter
            .send_to(&whole[..length], listener.netflow)
            .unwrap();
        sender().send_to(&whole[..length], listener.sflow).unwrap();
    }
    let mut stream = TcpStream::connect(listener.syslog).unwrap();
    stream.write_all(&vec![b'x'; 1 << 20]).unwrap();
    stream.write_all(b"\n\xff\xfe\0\n").unwrap();
    // More exporters than are remembered.
    for _ in 0..300 {
        sender()
            .send_to(
                &fixture("netflow/ipfix_test_openbsd_pflow_data.dat"),
                listener.netflow,
            )
            .unwrap();
    }
    exporter.send_to(&whole, listener.netflow).unwrap();
    assert_eq!(listener.next().text("format"), "netflow5");
    let (more, code, said) = listener.end();
    assert_eq!((more, code), (0, Some(3)), "{said}");
    for sentence in [
        "shorter than it says",
        "not as many records as it says",
        "a message of more than 65536 bytes",
        "whose template never came",
        "let go",
    ] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
}

#[test]
fn what_comes_too_fast_is_counted() {
    const SENT: u32 = 60_000;
    let mut listener = Listener::start();
    let exporter = sender();
    exporter.send_to(&packet(0), listener.netflow).unwrap();
    listener.next();
    signals::halt(listener.child.id());
    for number in 1..SENT {
        exporter.send_to(&packet(number), listener.netflow).unwrap();
    }
    signals::send(listener.child.id(), Signal::SIGCONT);
    // What came before the last one, which waits for room.
    let last = format!("\"sequence\":{SENT}}}");
    let mut told = 1;
    loop {
        exporter.send_to(&packet(SENT), listener.netflow).unwrap();
        told += 1;
        if listener.line().contains(&last) {
            break;
        }
    }
    let (_, code, said) = listener.end();
    assert_eq!(code, Some(3), "{said}");
    let missed = u64::from(SENT) + 1 - told;
    assert!(missed > 0);
    assert!(said.contains("were dropped by the kernel"), "{said}");
    assert!(
        said.contains(&format!(": {missed} missed, by its numbers")),
        "{missed}: {said}"
    );
}

#[test]
fn what_cannot_be_listened_to_is_said() {
    let taken = sender().local_addr().unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let run = |words: &[&str]| {
        let mut command = Command::new(conntracer());
        let output = command
            .args(["flows", "listen"])
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = run(&["--netflow", &address]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--netflow", "2055"]).0, Some(2));
    assert_eq!(
        run(&["--syslog", &taken.to_string(), "--pid", "1"]).0,
        Some(2)
    );
}
