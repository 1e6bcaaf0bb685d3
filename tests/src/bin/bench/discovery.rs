//! What everybody pays for it that looks at connections are told.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use anyhow::ensure;
use tracer_tests::{netns::Netns, scratch::Scratch, tracer::Tracer};

use crate::{Args, median, time_of, time_of_system_call};

/// What runs meanwhile.
const SETTINGS: [(&str, Option<&[&str]>); 3] = [
    ("without", None),
    ("trace", Some(&[])),
    ("trace --discovery", Some(&["--discovery"])),
];

/// What is done, none of which has to do with connections.
const WORK: [&str; 3] = [
    "getppid",
    "openat and close of a file",
    "fork and execve of /bin/true",
];

/// Seconds of one of each of [`WORK`].
type Times = [f64; WORK.len()];

/// Does the work in all settings, one after the other in each round, and prints a table.
pub fn report(args: &Args, netns: &Netns) -> anyhow::Result<()> {
    let scratch = Scratch::new();
    let file = scratch
        .write("file", b"nothing")
        .to_string_lossy()
        .into_owned();
    // The first one warms up what all of them use.
    measure(&file)?;
    let mut rounds: Vec<[Times; SETTINGS.len()]> = Vec::new();
    for _ in 0..args.rounds {
        let mut round = [Times::default(); SETTINGS.len()];
        for ((_, flags), times) in SETTINGS.iter().zip(&mut round) {
            let tracer = flags.map(|flags| start(args, netns, flags));
            *times = measure(&file)?;
            drop(tracer.map(Tracer::stop));
        }
        rounds.push(round);
    }
    print(&rounds);
    Ok(())
}

/// Who is watched is elsewhere: what is measured is what everybody pays.
fn start(args: &Args, netns: &Netns, flags: &[&str]) -> Tracer {
    let inode = netns.inode().to_string();
    let common = ["--hooks", args.hooks.as_str(), "--netns", &inode];
    Tracer::start(&[&common[..], flags].concat())
}

fn measure(file: &str) -> anyhow::Result<Times> {
    const OPENS: u32 = 100_000;
    const EXECUTIONS: u32 = 500;
    let mut failed = 0;
    let opens = time_of(OPENS, || failed += u32::from(File::open(file).is_err()));
    let executions = time_of(EXECUTIONS, || {
        let status = Command::new("/bin/true").stdin(Stdio::null()).status();
        failed += u32::from(!status.is_ok_and(|status| status.success()));
    });
    ensure!(failed == 0, "{failed} times it could not be done");
    Ok([time_of_system_call(), opens, executions])
}

/// Medians, and beside each the median of what it is more than without conntracer in the same round.
fn print(rounds: &[[Times; SETTINGS.len()]]) {
    println!("\nwho has nothing to do with connections, medians, ns each:");
    print!("  {:<30}", "");
    for (name, _) in SETTINGS {
        print!(" {name:>20}");
    }
    println!();
    for (work, name) in WORK.iter().enumerate() {
        print!("  {name:<30}");
        for setting in 0..SETTINGS.len() {
            let more = |round: &[Times; SETTINGS.len()]| round[setting][work] - round[0][work];
            let of = |round: &[Times; SETTINGS.len()]| round[setting][work];
            let time = median(&rounds.iter().map(of).collect::<Vec<f64>>()) * 1e9;
            let more = median(&rounds.iter().map(more).collect::<Vec<f64>>()) * 1e9;
            if setting == 0 {
                print!(" {time:>20.0}");
            } else {
                print!(" {time:>10.0} {more:>+9.0}");
            }
        }
        println!();
    }
}
