//! What tracing costs: the same load with and without conntracer, in pairs in one run, as medians.
#![expect(clippy::print_stdout, reason = "a report for the terminal")]

mod discovery;
mod flows;
mod history;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use tracer_tests::{
    bpf::{self, Run},
    conntracer,
    netns::Netns,
    peer::{self, Peer},
    terminal::Terminal,
    tracer::Tracer,
};

/// Measures what tracing costs
#[derive(Debug, Parser)]
struct Args {
    /// Connections in each measurement
    #[arg(long, default_value_t = 4000)]
    connections: u32,
    /// Measurements of each kind
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Which hooks conntracer uses
    #[arg(long, default_value = "auto")]
    hooks: String,
    /// Connections that are open while the live table is watched, each end counted
    #[arg(long, default_value_t = 10_000)]
    open: u32,
    /// Seconds for which it is watched
    #[arg(long, default_value_t = 20)]
    watch: u32,
    /// Only what it costs to tell who looks at connections
    #[arg(long)]
    discovery: bool,
    /// Only how fast a history of so many made-up connections answers, and is written
    #[arg(long, value_name = "CONNECTIONS", num_args = 0..=1, default_missing_value = "10000000")]
    history: Option<u64>,
    /// Only how fast flow logs of so many flows are read, a format after the other
    #[arg(long, value_name = "FLOWS", num_args = 0..=1, default_missing_value = "1000000")]
    flows: Option<u64>,
    /// Runs a program, and says how long it took and how much memory
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    once: Vec<String>,
}

/// What is measured.
#[derive(Clone, Copy)]
enum Setting {
    /// Nothing is traced.
    Without,
    /// Everything is written.
    Written,
    /// Everything is selected out in the kernel.
    SelectedOut,
}

const SETTINGS: [(Setting, &str); 3] = [
    (Setting::Without, "without conntracer"),
    (Setting::Written, "all of it written"),
    (Setting::SelectedOut, "all of it selected out"),
];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(connections) = args.history {
        return history::report(connections, args.rounds);
    }
    if !args.once.is_empty() {
        return flows::once(&args.once);
    }
    if let Some(count) = args.flows {
        return flows::report(count, args.rounds);
    }
    let netns = Netns::new();
    if args.discovery {
        return discovery::report(&args, &netns);
    }
    let mut server = Peer::start(&netns, &["absorb", "127.0.0.1:0"]);
    let target = format!("127.0.0.1:{}", server.port());
    let flood = || flood(&netns, &target, args.connections);
    // The first run warms up what all of them use.
    flood();
    let mut times: [Vec<f64>; SETTINGS.len()] = Default::default();
    for _ in 0..args.rounds {
        for ((setting, _), times) in SETTINGS.iter().zip(&mut times) {
            let tracer = start(*setting, &args.hooks, &netns);
            times.push(flood().as_secs_f64() / f64::from(args.connections));
            if let Some(tracer) = tracer {
                tracer.stop().assert_totals_add_up();
            }
        }
    }
    report_times(&times);
    report_programs(&args, &netns, &flood)?;
    report_system_calls(&args, &netns);
    discovery::report(&args, &netns)?;
    report_start(&args, &netns);
    report_top(&args, &netns);
    server.finish();
    Ok(())
}

fn start(setting: Setting, hooks: &str, netns: &Netns) -> Option<Tracer> {
    let inode = netns.inode().to_string();
    let common = ["--hooks", hooks, "--netns", &inode];
    match setting {
        Setting::Without => None,
        Setting::Written => Some(Tracer::start(&common)),
        Setting::SelectedOut => Some(Tracer::start(&[&common[..], &["--port", "1"]].concat())),
    }
}

/// So many connections, one after the other; how long they took.
fn flood(netns: &Netns, target: &str, connections: u32) -> Duration {
    let began = Instant::now();
    peer::run(netns, &["flood", target, &connections.to_string()]);
    began.elapsed()
}

fn report_times(times: &[Vec<f64>; SETTINGS.len()]) {
    println!("connections on loopback, one after the other, medians:");
    for ((_, name), seconds) in SETTINGS.iter().zip(times) {
        // Each is compared with the run without conntracer of its own round.
        let ratios: Vec<f64> = seconds.iter().zip(&times[0]).map(|(a, b)| a / b).collect();
        let seconds = median(seconds);
        println!(
            "  {name:<24} {:>8.0} /s  {:>7.1} us each  {:>+6.1} %",
            1.0 / seconds,
            seconds * 1e6,
            (median(&ratios) - 1.0) * 100.0
        );
    }
}

/// The time the kernel spends in each program, and how often the reader wakes up.
fn report_programs(args: &Args, netns: &Netns, flood: &dyn Fn() -> Duration) -> anyhow::Result<()> {
    let _stats = bpf::enable_stats().context("the kernel does not count the time of programs")?;
    let Some(tracer) = start(Setting::Written, &args.hooks, netns) else {
        return Ok(());
    };
    flood();
    let runs = bpf::runs_of(tracer.pid());
    let switches = switches_of(tracer.pid());
    let peak = status_of(&format!("/proc/{}/status", tracer.pid()), "VmHWM:");
    let finished = tracer.stop();
    let connections = f64::from(args.connections);
    let total: u64 = runs.iter().map(|run| run.time_ns).sum();
    let seen = finished.stop().number("kernel.seen").unwrap_or(1).max(1);
    println!("\ntime in the kernel, with its own clock running:");
    for Run {
        name,
        count,
        time_ns,
    } in runs.iter().filter(|run| run.count > 0)
    {
        println!("  {name:<24} {:>6} ns  {count:>9} times", time_ns / count);
    }
    println!("  {:<24} {:>6} ns", "per record", total / seen);
    println!(
        "  {:<24} {:>6.0} ns",
        "per connection",
        ratio(total, connections)
    );
    println!("\nconntracer itself:");
    println!(
        "  {:<24} {:>6.2}",
        "wake-ups per connection",
        ratio(switches, connections)
    );
    println!("  {:<24} {peak:>6} KiB", "most memory");
    Ok(())
}

/// The cost of a system call that has nothing to do with connections.
fn report_system_calls(args: &Args, netns: &Netns) {
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..args.rounds {
        times[0].push(time_of_system_call());
        let tracer = start(Setting::Written, &args.hooks, netns);
        times[1].push(time_of_system_call());
        drop(tracer.map(Tracer::stop));
    }
    println!("\nany other system call, medians:");
    for (name, times) in ["without conntracer", "with it"].iter().zip(&times) {
        println!("  {name:<24} {:>6.0} ns", median(times) * 1e9);
    }
}

fn time_of_system_call() -> f64 {
    time_of(200_000, || {
        std::hint::black_box(nix::unistd::getppid());
    })
}

/// How long something takes that is done so often, seconds.
fn time_of(times: u32, mut act: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        act();
    }
    began.elapsed().as_secs_f64() / f64::from(times)
}

/// From the command to the record that says that nothing is missed from here on.
fn report_start(args: &Args, netns: &Netns) {
    let mut times = Vec::new();
    for _ in 0..args.rounds {
        let began = Instant::now();
        let tracer = start(Setting::Written, &args.hooks, netns);
        times.push(began.elapsed().as_secs_f64());
        drop(tracer.map(Tracer::stop));
    }
    println!(
        "\nfrom the command to the first record: {:.0} ms",
        median(&times) * 1e3
    );
}

/// What the live table costs while much is open and nothing happens, with its counters read every five
/// seconds.
fn report_top(args: &Args, netns: &Netns) {
    let mut peer = Peer::start(netns, &["keep-many", &(args.open / 2).to_string()]);
    peer.line();
    let inode = netns.inode().to_string();
    println!("\nthe live table, {} connections open:", args.open);
    for (name, keys) in [("connections", ""), ("hosts", "\t")] {
        let mut command = Command::new(conntracer());
        command.args(["top", "--netns", &inode, "--hooks", &args.hooks]);
        let mut top = Terminal::run(&mut command);
        top.wait("everything that is open", |seen| {
            seen.contains("[connections]") && !seen.contains("looking for")
        });
        top.press(keys);
        let tab = format!("[{name}]");
        top.wait(&tab, |seen| seen.contains(&tab));
        let before = run_ns(top.pid());
        std::thread::sleep(Duration::from_secs(args.watch.into()));
        let used = Duration::from_nanos(run_ns(top.pid()) - before);
        let share = used.as_secs_f64() / f64::from(args.watch) * 100.0;
        println!("  {name:<24} {share:>6.1} % of a core");
        top.press("q");
        top.end();
    }
    peer.finish();
}

/// For how long all its threads have run, nanoseconds.
fn run_ns(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let of = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.into_iter().flatten().flatten().filter_map(of).sum()
}

/// Voluntary context switches of all its threads.
fn switches_of(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let of = |thread: std::fs::DirEntry| {
        let path = thread.path().join("status");
        status_of(&path.to_string_lossy(), "voluntary_ctxt_switches:")
    };
    threads.into_iter().flatten().flatten().map(of).sum()
}

/// A number in a file such as `/proc/PID/status`.
fn status_of(path: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a report rounds anyway")]
fn ratio(total: u64, count: f64) -> f64 {
    total as f64 / count
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
