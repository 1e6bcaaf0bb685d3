//! `conntracer flows read`: what other devices tell, in one form.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tracer_tests::{
    conntracer, nemesis::accepts::message_is_valid, record::Record, schema::violations_of_flow,
    scratch::Scratch,
};

/// A log, how many flows it tells, and the line that cannot be read.
const SAMPLES: [(&str, &str, usize, u64); 10] = [
    ("asa.log", "cisco-asa", 3, 7),
    ("panos.log", "panos-traffic", 2, 4),
    ("sentinelone.csv", "sentinelone", 1, 4),
    ("zeek.log", "zeek-conn", 3, 12),
    ("suricata.json", "suricata-eve", 2, 4),
    ("aws.log", "aws-vpc", 3, 6),
    ("azure.json", "azure-vnet", 3, 1),
    ("gcp.json", "gcp-vpc", 1, 3),
    ("conntrack.log", "conntrack", 2, 3),
    ("nfdump.json", "nfdump", 1, 2),
];

fn fixture(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("fixtures/flows").join(name)
}

/// A packet of an exporter, out of a file of one.
fn exported(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("fixtures/netflow").join(name)
}

/// A capture of datagrams between two addresses, a second apart.
fn capture(datagrams: &[(u16, Vec<u8>)]) -> Vec<u8> {
    // In the order of bytes of the network, in microseconds, of packets that begin with IP.
    let mut capture = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 101] {
        capture.extend(word.to_be_bytes());
    }
    for (second, (port, payload)) in (1_763_629_200_u32..).zip(datagrams) {
        let length = u16::try_from(payload.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend((length + 28).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for half in [*port, 2055, length + 8, 0] {
            packet.extend(half.to_be_bytes());
        }
        packet.extend(payload);
        let length = u32::try_from(packet.len()).unwrap();
        for word in [second, 0, length, length] {
            capture.extend(word.to_be_bytes());
        }
        capture.extend(packet);
    }
    capture
}

/// A sample of sFlow 5 (<https://sflow.org/sflow_version_5.txt>): one packet of 256, TCP from 10.0.0.5 to 203.0.113.9.
fn sample() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 5, 203, 0, 113, 9,
    ];
    packet.extend(52344_u16.to_be_bytes());
    packet.extend(443_u16.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend([0x50, 0x02, 0, 0, 0, 0, 0, 0]);
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let length = u32::try_from(packet.len()).unwrap();
    // Of the protocol 11, IPv4: the packet is as long as what is left of it.
    let header = [words(&[11, length, 0, length]), packet].concat();
    let record = [words(&[1, u32::try_from(header.len()).unwrap()]), header].concat();
    let flow = [words(&[1, 1, 256, 256, 0, 3, 4, 1]), record].concat();
    let sample = [words(&[1, u32::try_from(flow.len()).unwrap()]), flow].concat();
    [words(&[5, 1, 0xc000_0201, 0, 7, 1000, 1]), sample].concat()
}

fn read(words: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(conntracer());
    command.args(["flows", "read"]).args(words).args(files);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The flows in what was written with `-o json`.
fn flows(output: &Output) -> Vec<Record> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let flows = text
        .lines()
        .map(|line| Record(serde_json::from_str(line).unwrap()));
    flows.collect()
}

/// A compressed copy of a log.
fn packed(scratch: &Scratch, name: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> PathBuf {
    let bytes = fs::read(fixture(name)).unwrap();
    scratch.write(&format!("packed-{name}"), &pack(&bytes))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn each_format_is_recognised_and_put_into_one_form() {
    for (name, format, count, broken) in SAMPLES {
        let output = read(&["-o", "json"], &[&fixture(name)]);
        let flows = flows(&output);
        assert_eq!(flows.len(), count, "{name}: {}", said(&output));
        for flow in &flows {
            assert_eq!(violations_of_flow(flow), [] as [String; 0], "{flow:?}");
            assert_eq!(flow.text("format"), format);
        }
        // The connection that they all saw.
        let ends = ["source", "destination"].map(|end| {
            let ip = flows[0].text(&format!("{end}.ip")).to_owned();
            (ip, flows[0].at(&format!("{end}.port")).as_u64().unwrap())
        });
        assert_eq!(ends[0], ("10.0.0.5".to_owned(), 52344), "{name}");
        assert_eq!(ends[1], ("203.0.113.9".to_owned(), 443), "{name}");
        assert_eq!(flows[0].text("destination.scope"), "documentation");
        // A port has a name if it is known what is spoken.
        let is_named = flows[0].text("service") == "https";
        assert_eq!(is_named, !flows[0].text("protocol").is_empty(), "{name}");
        assert_eq!(output.status.code(), Some(3), "{name}");
        let place = format!("{name}, line {broken}: ");
        assert!(said(&output).contains(&place), "{}", said(&output));
        let named = read(&["-o", "json", "--format", format], &[&fixture(name)]);
        assert_eq!(named.stdout, output.stdout);
    }
}

#[test]
fn packets_of_exporters_are_read_with_the_templates_of_files_before() {
    let asa = ["tpl_26x", "tpl_27x", "data"]
        .map(|part| exported(&format!("netflow9_test_cisco_asa_2_{part}.dat")));
    let [old, new, data] = &asa;
    let output = read(&["-o", "json"], &[old, new, data]);
    assert!(output.status.success(), "{}", said(&output));
    let told = flows(&output);
    let of_data = told
        .iter()
        .filter(|flow| flow.text("origin.file").ends_with("data.dat"));
    assert_eq!(of_data.count(), 19);
    let last = told.last().unwrap();
    assert_eq!(last.text("format"), "cisco-nsel");
    assert_eq!(last.text("source.ip"), "192.168.0.1");
    assert_eq!(last.number("destination.port"), Some(80));
    assert_eq!(last.number("bytes.forward"), Some(69));
    assert_eq!(last.number("bytes.reverse"), Some(14178));
    for flow in &told {
        assert_eq!(violations_of_flow(flow), [] as [String; 0], "{flow:?}");
    }
    // In one file, one after the other, as they came over the network.
    let scratch = Scratch::new();
    let all: Vec<u8> = asa
        .iter()
        .flat_map(|path| fs::read(path).unwrap())
        .collect();
    let all = scratch.write("all.dat", &gzip(&all));
    let together = read(&["-o", "json"], &[&all]);
    assert_eq!(flows(&together).len(), told.len(), "{}", said(&together));
    // Without its templates it tells nothing, and says so.
    let alone = read(&["-o", "json"], &[data]);
    assert_eq!(alone.status.code(), Some(3));
    assert!(alone.stdout.is_empty());
    assert!(
        said(&alone).contains("whose template never came"),
        "{}",
        said(&alone)
    );
}

#[test]
fn captures_have_packets_of_several_senders() {
    let of = |name: &str| fs::read(exported(name)).unwrap();
    let datagrams = [
        (1000, of("netflow5.dat")[..24 + 2 * 48].to_vec()),
        (1001, of("ipfix_test_openbsd_pflow_data.dat")),
        (1001, of("ipfix_test_openbsd_pflow_tpl.dat")),
        (1002, sample()),
        (53, b"something else".to_vec()),
    ];
    let scratch = Scratch::new();
    let whole = capture(&datagrams);
    let path = scratch.write("exports.pcap", &whole);
    let output = read(&["-o", "json"], &[&path]);
    assert!(output.status.success(), "{}", said(&output));
    let told = flows(&output);
    let of = |format: &str| {
        let of_format = told.iter().filter(|flow| flow.text("format") == format);
        of_format.collect::<Vec<_>>()
    };
    assert_eq!(of("netflow5").len(), 2);
    assert_eq!(of("netflow5")[0].text("origin.exporter"), "192.0.2.1:1000");
    // They came before their template.
    assert!(of("ipfix").len() > 10, "{}", of("ipfix").len());
    assert_eq!(of("ipfix")[0].number("origin.packet"), Some(2));
    let sample = of("sflow")[0];
    assert_eq!(sample.text("time"), "2025-11-20T09:00:03.000000000Z");
    assert_eq!(sample.number("destination.port"), Some(443));
    assert_eq!(sample.number("packets.forward"), Some(256));
    assert_eq!(sample.at("packets.estimated"), true);
    assert!(
        said(&output).contains("1 packets that no exporter sent"),
        "{}",
        said(&output)
    );
    // What breaks off takes nothing of what stands before it with it.
    let cut = scratch.write("cut.pcap", &whole[..whole.len() - 5]);
    let output = read(&["-o", "json"], &[&cut]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(flows(&output).len(), told.len());
    assert!(
        said(&output).contains("behind packet 4: it breaks off"),
        "{}",
        said(&output)
    );
}

#[test]
fn every_output_has_every_flow() {
    let files = SAMPLES.map(|(name, ..)| fixture(name));
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let count: usize = SAMPLES.iter().map(|(_, _, count, _)| count).sum();
    for (format, headings) in [
        ("table", 1),
        ("wide", 1),
        ("csv", 1),
        ("json", 0),
        ("ecs", 0),
        ("ocsf", 0),
    ] {
        let output = read(&["-o", format], &files);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(text.lines().count(), headings + count, "{format}: {text}");
        assert!(
            said(&output).contains("flows: 21; not selected: 0; could not be read: 10"),
            "{}",
            said(&output)
        );
    }
    let output = read(&["-o", "nemesis", "--nemesis-project", "IR-1"], &files);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let rows = messages.map(|message: Value| {
        assert_eq!(message_is_valid(&message), Ok(()), "{message}");
        assert_eq!(message["metadata"]["project"], "IR-1");
        message["data"].as_array().map_or(0, Vec::len)
    });
    assert_eq!(rows.sum::<usize>(), 21);
    let output = read(&["--nemesis-project", "IR-1"], &files);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn the_flags_of_connections_select() {
    let file = fixture("aws.log");
    let files = &[file.as_path()];
    for (words, count) in [
        (&["--port", "443"][..], 2),
        (&["--not-port", "443"], 1),
        (&["--remote", "198.51.100.0/24"], 1),
        (&["--protocol", "udp"], 0),
        (&["--external"], 0),
        (&["--external", "--external-cidr", "198.51.100.0/24"], 1),
        (&["--port", "23", "--remote", "203.0.113.9", "--any"], 3),
    ] {
        let output = read(&[words, &["-o", "json"]].concat(), files);
        assert_eq!(flows(&output).len(), count, "{words:?}: {}", said(&output));
    }
    for flag in [
        ["--process", "curl"],
        ["--pid", "1"],
        ["--direction", "inbound"],
        ["--event", "close"],
        ["--local-port", "443"],
    ] {
        let output = read(&flag, files);
        assert_eq!(output.status.code(), Some(2), "{flag:?}");
        assert!(output.stdout.is_empty());
        assert!(said(&output).contains(flag[0]), "{}", said(&output));
    }
}

#[test]
fn logs_that_name_no_users_cannot_answer_for_them() {
    let (aws, panos) = (fixture("aws.log"), fixture("panos.log"));
    let output = read(&["--user", "alice", "-o", "json"], &[&panos, &aws]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let expected = "--user: none of 3 flows of aws-vpc names a user";
    assert!(said(&output).contains(expected), "{}", said(&output));
    // What is known is shown all the same.
    assert_eq!(flows(&output).len(), 1);
}

#[test]
fn compressed_in_a_directory_and_from_stdin() {
    let scratch = Scratch::new();
    let whole = read(&["-o", "csv"], &[&fixture("aws.log")]);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let twice = |bytes: &[u8]| {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        [gzip(first), gzip(second)].concat()
    };
    // The name of the file is in each row.
    let without_names = |output: &Output| {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let names = text.lines().next().unwrap().split(',');
        let file = names.take_while(|name| *name != "file").count();
        let row = |row: &str| {
            let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
            cells.remove(file);
            cells
        };
        text.lines().map(row).collect::<Vec<_>>()
    };
    for pack in [&gzip as &dyn Fn(&[u8]) -> Vec<u8>, &zstd, &twice] {
        let path = packed(&scratch, "aws.log", pack);
        let output = read(&["-o", "csv"], &[&path]);
        assert_eq!(without_names(&output), without_names(&whole));
    }
    let directory = scratch.path().join("logs/deeper");
    fs::create_dir_all(&directory).unwrap();
    for name in ["b.log", "deeper/a.log"] {
        fs::copy(fixture("aws.log"), directory.parent().unwrap().join(name)).unwrap();
    }
    let output = read(&["-o", "json"], &[directory.parent().unwrap()]);
    let names: Vec<String> = flows(&output)
        .iter()
        .map(|flow| flow.text("origin.file").to_owned())
        .collect();
    assert_eq!(names.len(), 6);
    assert!(
        names[0].ends_with("b.log") && names[5].ends_with("a.log"),
        "{names:?}"
    );
    let mut child = Command::new(conntracer())
        .args(["flows", "read", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bytes = fs::read(fixture("aws.log")).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&gzip(&bytes))
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(flows(&output).len(), 3);
    assert_eq!(flows(&output)[0].text("origin.file"), "-");
}

#[test]
fn what_cannot_be_read_takes_nothing_else_with_it() {
    let scratch = Scratch::new();
    let cut = packed(&scratch, "aws.log", |bytes| {
        let many: Vec<u8> = bytes.repeat(2000);
        let mut packed = gzip(&many);
        packed.truncate(packed.len() / 2);
        packed
    });
    let other = scratch.write("other.txt", b"hello\nworld\n");
    let hostile = scratch.write(
        "hostile.log",
        b"2 1 eni-1 \x1b[2J 10.0.0.1 1 2 6 1 1 1 1 ACCEPT OK\n",
    );
    let output = read(
        &["-o", "json"],
        &[&cut, &other, &hostile, &fixture("zeek.log")],
    );
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let flows = flows(&output);
    let of = |format: &str| {
        flows
            .iter()
            .filter(|flow| flow.text("format") == format)
            .count()
    };
    assert!(of("aws-vpc") > 300, "{}", of("aws-vpc"));
    assert_eq!(of("zeek-conn"), 3);
    assert!(
        said.contains("cannot read") && said.contains("packed-aws.log, line "),
        "{said}"
    );
    assert!(
        said.contains("other.txt looks like no flow log that is known"),
        "{said}"
    );
    assert!(
        said.contains("times: not the columns of the header"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
    let missing = read(&[], &[&scratch.path().join("nowhere")]);
    assert_eq!(missing.status.code(), Some(1));
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output = read(&[], &[&empty]);
    assert!(
        self::said(&output).contains("has no files"),
        "{}",
        self::said(&output)
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let scratch = Scratch::new();
    let bytes = fs::read(fixture("aws.log")).unwrap().repeat(5000);
    let path = scratch.write("long.log", &bytes);
    let mut child = Command::new(conntracer())
        .args(["flows", "read", "-o", "json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    assert!(first.contains("203.0.113.9"), "{first}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn logs_that_grow_are_followed_over_their_renaming() {
    let scratch = Scratch::new();
    let logs = scratch.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let line = |number: u32| {
        format!(
            "2 123456789010 eni-1 10.0.0.5 203.0.113.9 52344 {number} 6 10 840 1432917027 1432917142 ACCEPT OK\n"
        )
    };
    let write = |name: &str, text: &str| {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(logs.join(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    write("fw.log", &line(1));
    let mut command = Command::new(conntracer());
    // It ends by itself if what is waited for does not come.
    command.args([
        "flows",
        "read",
        "--follow",
        "--duration",
        "60s",
        "-o",
        "json",
    ]);
    let mut child = command
        .arg(&logs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let told = told.next().unwrap_or_else(|| panic!("it has ended"));
        let flow = Record(serde_json::from_str(&told.unwrap()).unwrap());
        let line = flow.number("origin.line").unwrap();
        (flow.number("destination.port").unwrap(), line)
    };
    assert_eq!(next(), (1, 1));
    let second = line(2);
    write("fw.log", &second[..30]);
    write("fw.log", &second[30..]);
    assert_eq!(next(), (2, 2));
    // Whoever writes it goes on with what has another name now, until it takes the new one.
    fs::rename(logs.join("fw.log"), logs.join("fw.log.1")).unwrap();
    write("fw.log.1", &line(3));
    assert_eq!(next(), (3, 3));
    write("fw.log", &line(4));
    assert_eq!(next().0, 4);
    // It is cut, and written anew.
    fs::write(logs.join("fw.log"), "").unwrap();
    write("other.log", &line(5));
    assert_eq!(next().0, 5);
    write("fw.log", &line(6));
    assert_eq!(next().0, 6);
    // The last line has no end yet.
    write("fw.log", line(7).trim_end());
    write("other.log", &line(8));
    assert_eq!(next().0, 8);
    tracer_tests::signals::send(child.id(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(next().0, 7);
    assert!(told.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_meets_an_indicator_is_told_and_selected() {
    let scratch = Scratch::new();
    // Documentation addresses are external where the user says so.
    let feed = scratch.write("feed.txt", b"# bad\n203.0.113[.]9:443\n10.0.0.0/8\n");
    let feed = feed.to_str().unwrap();
    let external = ["--external-cidr", "203.0.113.0/24", "-o", "json"];
    let words = [&external[..], &["--feed", feed]].concat();
    let log = fixture("aws.log");
    let output = read(&words, &[&log]);
    let all = flows(&output);
    assert_eq!(all.len(), 3, "{}", said(&output));
    for flow in &all {
        assert_eq!(violations_of_flow(flow), [] as [String; 0], "{flow:?}");
    }
    assert_eq!(
        all[0].at("destination.threat")[0]["indicator"],
        "203.0.113.9:443"
    );
    // Of private addresses no feed is asked, and that it has some is said.
    assert!(all[0].at("source.threat").is_null());
    assert!(
        said(&output).contains("private or special"),
        "{}",
        said(&output)
    );
    let output = read(&[&words[..], &["--threat"]].concat(), &[&log]);
    assert_eq!(flows(&output).len(), 2, "{}", said(&output));
    let allow = scratch.write("allow.txt", b"203.0.113.0/24\n");
    let allow = ["--threat", "--allow", allow.to_str().unwrap()];
    let output = read(&[&words[..], &allow].concat(), &[&log]);
    assert_eq!(flows(&output).len(), 0, "{}", said(&output));
    assert_eq!(read(&["--threat"], &[&log]).status.code(), Some(2));
    let none = scratch.write("none.txt", b"<html>not found</html>");
    let output = read(&["--feed", none.to_str().unwrap()], &[&log]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}
