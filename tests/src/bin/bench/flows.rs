//! How fast flow logs of other devices are read, and how much memory that takes: of each format so many flows,
//! made of the lines of the tests, beside what nfdump takes to write what it has collected before.

mod packets;

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use tracer_tests::{conntracer, scratch::Scratch, wait_until};

use self::packets::{IN_PACKET, Packets};
use super::median;

/// A fixture: how many of its first lines are headings, and which lines tell of one connection.
struct Format {
    file: &'static str,
    headings: usize,
    lines: &'static [usize],
    /// What is another in each connection: the port, the address and the number of the connection.
    varied: [&'static str; 3],
}

const FORMATS: [Format; 11] = [
    format("asa.log", 0, &[2, 3]),
    format("panos.log", 0, &[1]),
    format("sentinelone.csv", 1, &[2]),
    format("zeek.log", 8, &[9]),
    format("suricata.json", 0, &[1]),
    format("aws.log", 1, &[2]),
    format("azure.json", 0, &[1]),
    format("gcp.json", 0, &[1]),
    format("conntrack.log", 0, &[1, 2]),
    format("nfdump.json", 0, &[1]),
    Format {
        varied: ["41158", "192.0.2.17", "35429e4d9c0"],
        ..format("../story.json", 0, &[10])
    },
];

const fn format(file: &'static str, headings: usize, lines: &'static [usize]) -> Format {
    Format {
        file,
        headings,
        lines,
        varied: ["52344", "10.0.0.5", "89743274"],
    }
}

/// So many packets are sent to nfcapd before it has a moment to take them.
const BURST: u64 = 32;

/// Measures it, and says what it came to.
pub fn report(count: u64, rounds: usize) -> anyhow::Result<()> {
    let scratch = Scratch::new();
    println!("{count} flows of each format, read and written as CSV, medians of {rounds}:");
    for format in &FORMATS {
        let path = scratch.path().join("flows.log");
        let name = format.file.trim_start_matches("../");
        write_lines(format, count, &path)?;
        measure(name, count, rounds, &reading(&path))?;
    }
    let packets = scratch.path().join("packets.dat");
    for format in [Packets::Netflow9, Packets::Ipfix, Packets::Sflow] {
        format.write(count, &packets)?;
        measure(format.name(), count, rounds, &reading(&packets))?;
    }
    Packets::Netflow5.write(count, &packets)?;
    let collected = collect(&packets, count, scratch.path())?;
    // In pairs.
    for round in 0..2 {
        measure(Packets::Netflow5.name(), count, rounds, &reading(&packets))?;
        if let Some(collected) = &collected {
            let words = ["nfdump", "-r", &collected.to_string_lossy(), "-o", "csv"];
            measure("nfdump, its own", count, rounds, &words.map(str::to_owned))?;
        } else if round == 0 {
            println!("  nfdump is not there to compare with");
        }
    }
    Ok(())
}

fn reading(path: &Path) -> Vec<String> {
    let program = conntracer();
    let path = path.display().to_string();
    let words = ["flows", "read", &path, "-o", "csv", "--quiet"];
    let words = words.into_iter().map(str::to_owned);
    std::iter::once(program.display().to_string())
        .chain(words)
        .collect()
}

/// Runs it so often, each time by a process of its own, which knows how much memory its child took.
fn measure(name: &str, count: u64, rounds: usize, words: &[String]) -> anyhow::Result<()> {
    let (mut seconds, mut memory, mut lines) = (Vec::<f64>::new(), 0, 0);
    for _ in 0..rounds {
        let output = Command::new(std::env::current_exe()?)
            .arg("--once")
            .args(words)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let [time, kib, told] = words.as_slice() else {
            bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
        };
        seconds.push(time.parse()?);
        memory = memory.max(kib.parse::<u64>()?);
        lines = told.parse::<u64>()?;
    }
    ensure!(
        lines >= count,
        "{name}: only {lines} lines of {count} flows"
    );
    let seconds = median(&seconds);
    println!(
        "  {name:<16} {:>9.0} flows/s  {:>6} MiB",
        ratio(count, seconds),
        memory / 1024
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a report rounds anyway")]
fn ratio(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Runs a program to its end, and prints how many seconds that took, how much memory (KiB), and how many lines it wrote.
pub fn once(words: &[String]) -> anyhow::Result<()> {
    let (program, args) = words.split_first().context("no program")?;
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = Lines(0);
    std::io::copy(&mut child.stdout.take().context("no stdout")?, &mut lines)?;
    child.wait()?;
    let seconds = began.elapsed().as_secs_f64();
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    println!("{seconds} {memory} {}", lines.0);
    Ok(())
}

/// Counts lines.
struct Lines(usize);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.split(|byte| *byte == b'\n').count() - 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The ends of a connection by its number.
fn ends(number: u64) -> ([u8; 4], u16) {
    let [.., a, b] = number.to_be_bytes();
    let port = 1024 + u16::try_from(number % 60_000).unwrap_or_default();
    ([10, 1, a, b], port)
}

fn write_lines(format: &Format, count: u64, path: &Path) -> anyhow::Result<()> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/flows");
    let text = std::fs::read_to_string(fixture.join(format.file))?;
    let lines: Vec<&str> = text.lines().collect();
    let mut out = BufWriter::new(File::create(path)?);
    for heading in lines.iter().take(format.headings) {
        writeln!(out, "{heading}")?;
    }
    let mut line = String::new();
    let [old_port, old_address, old_number] = format.varied;
    for number in 0..count {
        let (ip, port) = ends(number);
        let [a, b, c, d] = ip;
        for at in format.lines {
            line.clear();
            let one = lines.get(at - 1).context("the fixture has changed")?;
            let one = one
                .replace(old_port, &port.to_string())
                .replace(old_address, &format!("{a}.{b}.{c}.{d}"));
            write!(line, "{}", one.replace(old_number, &number.to_string()))?;
            writeln!(out, "{line}")?;
        }
    }
    Ok(out.flush()?)
}

/// Has nfcapd collect them, if it is there; the file that it wrote.
fn collect(packets: &Path, count: u64, scratch: &Path) -> anyhow::Result<Option<PathBuf>> {
    let directory = scratch.join("collected");
    std::fs::create_dir(&directory)?;
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let started = Command::new("nfcapd")
        .args([
            "-b",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-t",
            "3600",
            "-w",
        ])
        .arg(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut collector) = started else {
        return Ok(None);
    };
    let bound = format!(":{port:04X} ");
    wait_until("nfcapd listens", || {
        std::fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&bound))
    });
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let bytes = std::fs::read(packets)?;
    let whole = 24 + 48 * usize::try_from(IN_PACKET)?;
    for (sent, packet) in (1_u64..).zip(bytes.chunks(whole)) {
        socket.send_to(packet, ("127.0.0.1", port))?;
        if sent % BURST == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    std::thread::sleep(Duration::from_secs(1));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(collector.id())?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    collector.wait()?;
    let files = std::fs::read_dir(&directory)?;
    let mut found = files.flatten().map(|file| file.path());
    let file = found.find(|path| path.to_string_lossy().contains("nfcapd.2"));
    let file = file.context("nfcapd has written nothing")?;
    println!("  (nfcapd was sent {count} flows)");
    Ok(Some(file))
}
