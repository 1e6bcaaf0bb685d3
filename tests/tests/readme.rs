//! Every command in the README and in the playbooks does what it should.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it unwraps in vain, which is what it is for"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tracer_tests::{
    conntracer, netns::Netns, scratch::Scratch, terminal::Terminal, whole::is_whole,
};

/// The commands in a page's blocks of shell code.
fn commands_of(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut commands = Vec::new();
    let mut is_shell = false;
    for line in text.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            command if is_shell && !command.is_empty() => commands.push(command.to_owned()),
            _ => {}
        }
    }
    commands
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Runs it in an empty directory, where it sees nothing but this namespace and ends soon.
fn run(program: &Path, words: &[&str], directory: &Path, netns: &Netns) {
    let inode = netns.inode().to_string();
    let has = |flag: &str| words.contains(&flag);
    let is_silent = words.first() == Some(&"agent");
    let is_of_history = has("--history") && !is_silent;
    let is_live = !matches!(
        words,
        ["doctor" | "replay" | "flows", ..] | ["discovery", "read", ..]
    ) && !has("--from")
        && !is_of_history;
    let mut command = Command::new(program);
    command.args(words).current_dir(directory);
    if is_live && !has("--netns") {
        command.args(["--netns", &inode]);
    } else if is_live {
        // Nothing comes of another selection by namespace either.
        let own = format!("pid:{}", std::process::id());
        command.args(["--not-netns", &own]);
    }
    if is_live && !has("--duration") && !has("snapshot") {
        command.args(["--duration", "1s"]);
    }
    if words.first() == Some(&"top") {
        let mut terminal = Terminal::run(&mut command);
        assert!(terminal.end().success(), "{words:?}");
        return;
    }
    let output = command.output().unwrap();
    // An agent that was there for a second covers less than what is asked, and the answer says so.
    let is_uncovered = is_of_history && output.status.code() == Some(3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        is_uncovered || is_whole(output.status, &said),
        "{words:?}: {}: {said}",
        output.status,
    );
    // Of nothing, nothing would be posted.
    assert!(
        !output.stdout.is_empty()
            || is_silent
            || has("verify")
            || has("--output-file")
            || has("--dry-run"),
        "{words:?}"
    );
}

/// Shortens what would take minutes, and does what a shell does.
fn quickly(command: &str) -> String {
    let command = command.replace("30s", "1s").replace("10m", "1s");
    command.replace("$$", &std::process::id().to_string())
}

/// Runs a page's commands of conntracer, one after the other. How many there are.
fn run_commands_of(page: &Path) -> usize {
    let scratch = Scratch::new();
    let flows = root().join("tests/fixtures/flows/panos.log");
    let whole = std::fs::read_to_string(flows).unwrap();
    // But for the line that cannot be read.
    let whole: Vec<&str> = whole.lines().take(3).collect();
    std::fs::write(scratch.file("fw.log"), whole.join("\n")).unwrap();
    std::fs::write(scratch.file("feed.txt"), "203.0.113.9:443\n").unwrap();
    let accounts = "account,name,department,networks\ncorp\\alice,Alice,Finance,10.0.0.0/8\n";
    std::fs::write(scratch.file("accounts.csv"), accounts).unwrap();
    let ranges = root().join("tests/fixtures/mmdb/GeoLite2-City-Test.mmdb");
    std::fs::copy(ranges, scratch.file("ranges.mmdb")).unwrap();
    let log = root().join("docs/exercise/audit.log");
    std::fs::copy(log, scratch.file("audit.log")).unwrap();
    let netns = Netns::new();
    let mut count = 0;
    for command in commands_of(page) {
        let command = quickly(&command);
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["conntracer", rest @ ..] | ["cargo", "xtask", "run", "--", rest @ ..] => {
                run(&conntracer(), rest, scratch.path(), &netns);
                count += 1;
            }
            _ => {}
        }
    }
    count
}

#[test]
fn commands_of_conntracer() {
    let count = run_commands_of(&root().join("README.md"));
    assert!(count > 10, "the README has changed its form");
}

#[test]
fn commands_of_the_playbooks() {
    for page in ["hosts-by-port", "external-hosts", "discovery", "flow-logs"] {
        let page = root().join(format!("docs/playbooks/{page}.md"));
        let count = run_commands_of(&page);
        assert!(count > 8, "{} has changed its form", page.display());
    }
}

#[test]
fn commands_of_xtask() {
    let xtask = std::env::var_os("XTASK").unwrap_or_else(|| panic!("run `cargo xtask test`"));
    let commands = commands_of(&root().join("README.md"));
    let words = |command: &String| {
        let words = command.strip_prefix("cargo xtask ")?;
        Some(words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    };
    let mut verbs = Vec::new();
    for words in commands.iter().filter_map(words) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        verbs.push(words[0].to_owned());
        let args: &[&str] = match words.as_slice() {
            ["run"] => &["run", "--", "--netns", "1", "--duration", "1s"],
            // With all optimisations their programs take minutes to build.
            ["bench"] => &[
                "bench",
                "--debug",
                "--",
                "--connections",
                "50",
                "--rounds",
                "1",
                "--open",
                "100",
                "--watch",
                "1",
            ],
            ["fuzz"] => &["fuzz", "--seconds", "1", "people"],
            ["stress"] => &["stress", "--debug", "--seconds", "1", "--sockets", "1000"],
            ["setup" | "build"] => &words,
            // The tests of other kernels and `exercise` are in vm.rs, and what `coverage` gathers is compared there; this
            // is run by `test`, which is run after `check`, and `run` with words of conntracer's is in the
            // test above.
            ["test" | "check" | "coverage" | "exercise"] | ["vm", ..] | ["run", "--", ..] => {
                continue;
            }
            other => panic!("no test runs `cargo xtask {}`", other.join(" ")),
        };
        let output = Command::new(&xtask).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for verb in [
        "run", "test", "build", "setup", "check", "vm", "bench", "stress", "fuzz", "coverage",
        "exercise",
    ] {
        assert!(verbs.iter().any(|known| known == verb), "{verb}");
    }
}
