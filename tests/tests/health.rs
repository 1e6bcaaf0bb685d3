//! What the agent tells of itself over HTTP, on the running kernel.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use nix::sys::signal::Signal;
use rusqlite::Connection as Database;
use tracer_tests::{
    DEADLINE,
    agent::{Agent, command, talk},
    http::{Answer, ask},
    metrics,
    netns::Netns,
    scratch::Scratch,
    wait_until,
};

/// An agent that tells of itself.
struct Served {
    agent: Agent,
    address: String,
}

impl Served {
    fn start(scratch: &Scratch, netns: &Netns) -> Self {
        let mut agent = Agent::start(scratch, netns, &["--health", "127.0.0.1:0"]);
        let line = agent.line_with("health is served at ");
        let address = line
            .split_once("http://")
            .and_then(|(_, url)| url.strip_suffix("/healthz"))
            .unwrap_or_else(|| panic!("`{line}` says no address"))
            .to_owned();
        Self { agent, address }
    }

    fn get(&self, path: &str) -> Answer {
        ask(&self.address, "GET", path)
    }

    /// A number of `/metrics`.
    fn number(&self, name: &str) -> f64 {
        let numbers = self.numbers();
        *numbers
            .get(name)
            .unwrap_or_else(|| panic!("there is no {name} among {numbers:?}"))
    }

    /// All of them.
    fn numbers(&self) -> BTreeMap<String, f64> {
        let page = self.get("/metrics");
        assert_eq!(page.status, 200);
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert!(page.headers.contains(kind), "{page:?}");
        metrics::read(&page.body)
    }

    fn stop(self) {
        self.agent.signal(Signal::SIGTERM);
        self.end();
    }

    /// Whoever asks again and again keeps a small machine busy, so that hooks may be skipped, which is told.
    fn end(self) {
        let (status, stderr) = self.agent.end();
        assert!(matches!(status.code(), Some(0 | 3)), "{status:?}: {stderr}");
    }
}

/// The sum of what begins so behind the prefix.
fn sum(numbers: &BTreeMap<String, f64>, beginning: &str) -> f64 {
    let begins = |name: &str| {
        let name = name.strip_prefix("conntracer_");
        name.is_some_and(|name| name.starts_with(beginning))
    };
    let of_it = numbers.iter().filter(|(name, _)| begins(name));
    of_it.map(|(_, value)| value).sum()
}

#[test]
fn an_agent_that_keeps_every_connection_is_healthy_and_ready() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    // systemd was told that it is.
    for path in ["/healthz", "/readyz"] {
        let answer = served.get(path);
        assert_eq!((answer.status, &*answer.body), (200, "ok\n"), "{path}");
        let without_body = ask(&served.address, "HEAD", path);
        assert_eq!((without_body.status, &*without_body.body), (200, ""));
    }
    served.stop();
}

#[test]
fn what_else_is_asked_is_refused() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    for path in ["/", "/health", "/metrics/", "/../etc/passwd"] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    for method in ["POST", "DELETE", "OPTIONS"] {
        let answer = ask(&served.address, method, "/metrics");
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.headers.contains("allow: get, head"), "{answer:?}");
    }
    served.stop();
}

#[test]
fn metrics_count_what_is_kept() {
    const TALKS: u8 = 7;
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    for _ in 0..TALKS {
        let _ = talk(&netns, "10", "10");
    }
    let ended =
        "SELECT count(*) FROM connections WHERE closed IS NOT NULL AND direction <> 'listening'";
    wait_until("all of it is kept", || {
        served.agent.number(ended) == 2 * i64::from(TALKS)
    });
    for (word, count) in [
        ("listen", TALKS),
        ("connect", TALKS),
        ("established", TALKS),
        ("accept", TALKS),
        ("close", 2 * TALKS),
        ("start", 1),
        ("stop", 0),
    ] {
        let told = served.number(&format!("conntracer_events_total{{event=\"{word}\"}}"));
        assert!(is(told, f64::from(count)), "{word}: {told}");
    }
    wait_until("the totals of the last second add up", || {
        add_up(&served.numbers(), TALKS)
    });
    let numbers = served.numbers();
    let version = env!("CARGO_PKG_VERSION");
    let version = format!("conntracer_build_info{{version=\"{version}\"}}");
    assert!(is(numbers[&version], 1.0));
    assert!(is(sum(&numbers, "hook_info{fact=\"connect\","), 1.0));
    assert!(is(sum(&numbers, "lost_total{category=\"history\"}"), 0.0));
    assert!(is(sum(&numbers, "history_waiting_records"), 0.0));
    assert!(sum(&numbers, "history_room_records") > 1000.0);
    assert!(sum(&numbers, "history_size_bytes") > 4096.0);
    assert!(sum(&numbers, "start_time_seconds") > 1.7e9);
    served.stop();
}

/// Whether the totals have come that count so many exchanges, and agree with each other and with the records.
fn add_up(numbers: &BTreeMap<String, f64>, talks: u8) -> bool {
    let number = |name: &str| sum(numbers, name);
    let made = number("kernel_delivered_total") + number("records_derived_total");
    let told = number("records_suppressed_total") + number("records_written_total");
    number("kernel_delivered_total") >= 6.0 * f64::from(talks)
        && number("kernel_seen_total") >= number("kernel_delivered_total")
        && is(made, told)
        && is(number("events_total"), number("records_written_total"))
}

/// Whether a count is that one.
fn is(count: f64, expected: f64) -> bool {
    (count - expected).abs() < 0.5
}

#[test]
fn a_history_that_cannot_be_written_is_told_and_no_reason_to_start_anew() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    let failing = "conntracer_history_failing";
    assert!(served.number(failing) < 0.5);
    let held = hold(&served.agent);
    let _ = talk(&netns, "10", "10");
    wait_until("it is told", || served.number(failing) > 0.5);
    assert!(served.number("conntracer_history_waiting_records") > 0.5);
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").status, 200);
    drop(held);
    wait_until("it is over", || served.number(failing) < 0.5);
    served.stop();
}

#[test]
fn an_agent_that_is_ending_is_not_ready() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    // It waits for the history for a while.
    let held = hold(&served.agent);
    served.agent.signal(Signal::SIGTERM);
    wait_until("it is ending", || {
        let answer = served.get("/readyz");
        answer.status == 503 && answer.body == "agent: it is ending\n"
    });
    assert_eq!(served.get("/healthz").status, 200);
    drop(held);
    served.end();
}

/// Has nobody else write to its history, until what is returned is dropped.
fn hold(agent: &Agent) -> Database {
    let held = || -> rusqlite::Result<Database> {
        let database = Database::open(&agent.history)?;
        database.busy_timeout(DEADLINE)?;
        database.execute_batch("BEGIN IMMEDIATE")?;
        Ok(database)
    };
    held().unwrap_or_else(|error| panic!("the history cannot be held: {error}"))
}

#[test]
fn an_address_in_use_is_an_error_before_anything_else() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let other = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = other.local_addr().unwrap_or_else(|error| panic!("{error}"));
    let address = address.to_string();
    let output = command(&scratch, &netns)
        .args(["--health", &address])
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!(
        "conntracer: --health: cannot listen on {address}: Address already in use (os error 98)\n"
    );
    assert_eq!(said, expected);
    assert_eq!(output.status.code(), Some(1));
    assert!(!tracer_tests::agent::history(&scratch).exists());
}

#[test]
fn who_holds_connections_open_is_in_nobodys_way() {
    let (scratch, netns) = (Scratch::new(), Netns::new());
    let served = Served::start(&scratch, &netns);
    let ask_half = |_| -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&served.address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ")?;
        Ok(stream)
    };
    let held: Vec<TcpStream> = (0..100)
        .map(ask_half)
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(served.get("/healthz").status, 200);
    for mut stream in held {
        let mut rest = [0; 1];
        // Closed or reset, but not left open until the deadline.
        let read = stream.read(&mut rest);
        let is_left = match &read {
            Ok(read) => *read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(is_left, "{read:?}");
    }
    assert_eq!(served.get("/metrics").status, 200);
    served.stop();
}
