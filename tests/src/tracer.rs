//! A conntracer to watch.

use std::{
    collections::{BTreeSet, HashMap},
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use nix::sys::signal::Signal;

use crate::{
    DEADLINE, conntracer,
    netns::Netns,
    peer,
    record::{Record, events},
    rung::Rung,
    schema::violations,
    signals,
};

/// A running conntracer whose JSON records are gathered.
#[derive(Debug)]
pub struct Tracer {
    child: Child,
    /// Kills it if the test does not end it.
    guard: Child,
    seen: Arc<Seen>,
}

/// Deals with a record as it comes. Whether it need not be kept.
type Taker = Box<dyn FnMut(&Record) -> bool + Send>;

#[derive(Debug, Default)]
struct Seen {
    records: Mutex<Records>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Records {
    all: Vec<Record>,
    /// As they were written.
    text: String,
    /// How many there were.
    count: u64,
    /// What the published schema does not allow, and what is not in its place.
    violations: Vec<String>,
    has_ended: bool,
}

/// One for each rung, once it is asked for.
struct Shared(OnceLock<Mutex<HashMap<Rung, &'static Tracer>>>);

impl Shared {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn on(&self, rung: Rung, start: impl FnOnce() -> Tracer) -> &'static Tracer {
        let mut shared = self
            .0
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shared
            .entry(rung)
            .or_insert_with(|| Box::leak(Box::new(start())))
    }
}

/// What a conntracer left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its records, all that were kept.
    pub records: Vec<Record>,
    /// How many there were.
    pub count: u64,
    /// The same as it wrote them.
    pub stdout: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it said on stderr.
    pub stderr: String,
}

impl Tracer {
    /// Starts one with these flags and waits until nothing is missed any more.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(flags: &[&str]) -> Self {
        Self::spawn(&[], flags, Box::new(|_| false))
    }

    /// `command`: what it is to do, if it is not to trace.
    fn spawn(command: &[&str], flags: &[&str], mut taker: Taker) -> Self {
        let mut child = Command::new(conntracer())
            .args(command)
            .args(["-o", "json", "--duration", "2h"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", conntracer().display()));
        let guard = Command::new(peer())
            .args(["guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", peer().display()));
        let stdout = child.stdout.take().unwrap_or_else(|| unreachable!());
        let seen = Arc::new(Seen::default());
        let gathered = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                gathered.add(&line, &mut taker);
            }
            gathered.lock().has_ended = true;
            gathered.changed.notify_all();
        });
        let tracer = Self { child, guard, seen };
        tracer.wait("start", |record| record.event() == "start");
        tracer
    }

    /// One for a namespace, on a rung.
    #[must_use]
    pub fn on(rung: Rung, netns: &Netns, flags: &[&str]) -> Self {
        Self::taken_by(|_| false, rung, netns, flags)
    }

    /// The same, where somebody deals with each record as it comes, and says whether it need not be kept:
    /// there may be millions. Those that are not kept are not held against the published schema.
    #[must_use]
    pub fn taken_by(
        taker: impl FnMut(&Record) -> bool + Send + 'static,
        rung: Rung,
        netns: &Netns,
        flags: &[&str],
    ) -> Self {
        Self::doing(&[], Box::new(taker), rung, netns, flags)
    }

    fn doing(command: &[&str], taker: Taker, rung: Rung, netns: &Netns, flags: &[&str]) -> Self {
        let inode = netns.inode().to_string();
        let mut all = vec!["--hooks", rung.hooks(), "--netns", &inode];
        all.extend(flags);
        Self::spawn(command, &all, taker)
    }

    /// One that tells who in a namespace looks at connections, on a rung.
    #[must_use]
    pub fn of_discovery(rung: Rung, netns: &Netns, flags: &[&str]) -> Self {
        Self::doing(&["discovery"], Box::new(|_| false), rung, netns, flags)
    }

    /// The same, wherever it is done.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn of_all_discovery(flags: &[&str]) -> Self {
        Self::spawn(&["discovery"], flags, Box::new(|_| false))
    }

    /// The one that all tests of this process share for the shared namespace.
    #[must_use]
    pub fn shared(rung: Rung) -> &'static Self {
        static SHARED: Shared = Shared::new();
        SHARED.on(rung, || Self::on(rung, Netns::shared(), &[]))
    }

    /// The one of discovery that all tests of this process share for the shared namespace.
    #[must_use]
    pub fn shared_of_discovery(rung: Rung) -> &'static Self {
        static SHARED: Shared = Shared::new();
        SHARED.on(rung, || Self::of_discovery(rung, Netns::shared(), &[]))
    }

    /// By which mechanism it sees a fact.
    ///
    /// # Panics
    /// If it sees none.
    #[must_use]
    pub fn via(&self, fact: &str) -> String {
        let start = self.wait("start", |record| record.event() == "start");
        let hooks = start.at("hooks").as_array().into_iter().flatten();
        let mut of_fact = hooks.filter(|hook| hook["name"] == fact);
        let via = of_fact.next().and_then(|hook| hook["via"].as_str());
        via.unwrap_or_else(|| panic!("{fact} is not seen: {start:?}"))
            .to_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory that it shares with nobody.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn private_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
            .unwrap_or_else(|| panic!("{path} says nothing of memory"))
    }

    /// The first record that is wanted; waits for it.
    ///
    /// # Panics
    /// If it does not come.
    pub fn wait(&self, what: &str, is_wanted: impl Fn(&Record) -> bool) -> Record {
        self.wait_for(1, what, is_wanted).remove(0)
    }

    /// The first `count` records that are wanted; waits for them.
    ///
    /// # Panics
    /// If they do not come.
    pub fn wait_for(
        &self,
        count: usize,
        what: &str,
        is_wanted: impl Fn(&Record) -> bool,
    ) -> Vec<Record> {
        let deadline = Instant::now() + DEADLINE;
        let mut records = self.seen.lock();
        let mut found: Vec<Record> = Vec::new();
        let mut looked_at = 0;
        loop {
            records.assert_valid();
            let new = records.all.iter().skip(looked_at);
            found.extend(new.filter(|record| is_wanted(record)).cloned());
            looked_at = records.all.len();
            if found.len() >= count {
                found.truncate(count);
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !records.has_ended && !left.is_zero(),
                "no {what} came; the last that came are\n{}",
                last_lines(&records.all)
            );
            records = self
                .seen
                .changed
                .wait_timeout(records, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The record of an event with a port at either end and a process.
    pub fn event(&self, event: &str, port: u16, pid: u64) -> Record {
        self.wait(&format!("{event} of port {port} by {pid}"), |record| {
            record.event() == event
                && record.has_port(port)
                && record.number("process.pid") == Some(pid)
        })
    }

    /// The record of an event of the other end of a connection within one namespace. A port alone does
    /// not tell: the kernel gives it to another test too.
    pub fn event_of_other_end(&self, event: &str, of: &Record) -> Record {
        self.wait(&format!("{event} of the other end"), |record| {
            record.event() == event
                && record.endpoint("local") == of.endpoint("remote")
                && record.endpoint("remote") == of.endpoint("local")
        })
    }

    /// The record of how a process looked at connections. There is one for each process, written when it
    /// ends or soon after.
    pub fn discovery(&self, pid: u64) -> Record {
        self.wait(&format!("discovery by {pid}"), |record| {
            record.is_discovery_of(pid)
        })
    }

    /// The record of what existed of a process, in a direction.
    pub fn existing(&self, direction: &str, pid: u64) -> Record {
        self.wait(&format!("{direction} existing of {pid}"), |record| {
            record.event() == "existing"
                && record.text("direction") == direction
                && record.number("process.pid") == Some(pid)
        })
    }

    /// All records so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.seen.lock().all.clone()
    }

    /// The records of one connection so far.
    #[must_use]
    pub fn of(&self, id: &str) -> Vec<Record> {
        let mut records = self.records();
        records.retain(|record| record.id() == id);
        records
    }

    /// The words of the events of one connection so far.
    #[must_use]
    pub fn events_of(&self, id: &str) -> Vec<String> {
        let records = self.of(id);
        let words = events(&records).into_iter();
        words.map(str::to_owned).collect()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        signals::send(self.pid(), signal);
    }

    /// Stops it, and waits until it takes nothing any more.
    ///
    /// # Panics
    /// If it is gone.
    pub fn halt(&self) {
        signals::halt(self.pid());
    }

    /// Sends it signals that it finds all at once.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal_at_once(&self, signals: &[Signal]) {
        signals::send_at_once(self.pid(), signals);
    }

    /// Asks it to end, with time for all that it has to tell, and waits for that.
    #[must_use]
    pub fn stop(self) -> Finished {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it cannot be waited for, or wrote what the published schema does not allow.
    #[must_use]
    pub fn end(mut self) -> Finished {
        let mut stderr = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            // What is not UTF-8 would be a defect that the tests of the output find.
            let _ = pipe.read_to_string(&mut stderr);
        }
        let status = self
            .child
            .wait()
            .unwrap_or_else(|error| panic!("cannot wait for conntracer: {error}"));
        // Before somebody else gets the process id.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let mut records = self.seen.lock();
        while !records.has_ended {
            records = self
                .seen
                .changed
                .wait(records)
                .unwrap_or_else(PoisonError::into_inner);
        }
        records.assert_valid();
        Finished {
            records: records.all.clone(),
            count: records.count,
            stdout: records.text.clone(),
            status,
            stderr,
        }
    }
}

/// The newest records, a line each.
fn last_lines(records: &[Record]) -> String {
    const SHOWN: usize = 30;
    let shown = records.iter().skip(records.len().saturating_sub(SHOWN));
    let lines: Vec<String> = shown.map(Record::summary).collect();
    lines.join("\n")
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line of output.
    fn add(&self, line: &str, taker: &mut Taker) {
        let parsed = serde_json::from_str(line).map(Record);
        let seq = parsed.as_ref().ok().and_then(|record| record.number("seq"));
        let is_taken = parsed.as_ref().is_ok_and(taker);
        let (record, wrong) = match parsed {
            Ok(_) if is_taken => (None, Vec::new()),
            Ok(record) => {
                let wrong = violations(&record);
                (Some(record), wrong)
            }
            Err(error) => (None, vec![error.to_string()]),
        };
        let mut records = self.lock();
        records.count += 1;
        let is_in_place = seq == Some(records.count);
        let wrong = wrong
            .into_iter()
            .chain((!is_in_place).then(|| "seq out of place".to_owned()));
        let in_line = |why| format!("{why} in {line}");
        records.violations.extend(wrong.map(in_line));
        if !is_taken {
            records.all.extend(record);
            records.text.push_str(line);
            records.text.push('\n');
        }
        drop(records);
        self.changed.notify_all();
    }
}

impl Records {
    fn assert_valid(&self) {
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
    }
}

impl Finished {
    /// The last record.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn stop(&self) -> &Record {
        let last = self.records.last();
        match last {
            Some(stop) if stop.event() == "stop" => stop,
            other => panic!("the last record is {other:?}; stderr: {}", self.stderr),
        }
    }

    /// How much may be missing: what the kernel skipped (docs/coverage.md). Nothing else may be, and the
    /// exit code tells it too.
    ///
    /// # Panics
    /// If anything else is.
    #[must_use]
    pub fn may_be_missing(&self) -> u64 {
        let stop = self.stop();
        let missed = stop.number("kernel.lost.hook_missed").unwrap_or_default();
        let lost = stop.at("kernel.lost").as_object();
        let mut categories = lost.into_iter().flat_map(|lost| lost.keys());
        assert!(
            categories.all(|category| category == "hook_missed"),
            "{lost:?}"
        );
        let expected = if missed == 0 { 0 } else { 3 };
        assert_eq!(self.status.code(), Some(expected), "{}", self.stderr);
        missed
    }

    /// The processes that its records of connections are about. A listener has no remote end, so that every
    /// `--not-` of one keeps it.
    #[must_use]
    pub fn pids(&self) -> BTreeSet<u64> {
        let records = self.records.iter();
        let connections = records.filter(|record| record.text("direction") != "listening");
        connections
            .filter_map(|record| record.number("process.pid"))
            .collect()
    }

    /// Its records without those of a loss: on newer kernels what the hooks of the kernel skipped may be
    /// told anywhere (docs/coverage.md).
    #[must_use]
    pub fn without_losses(&self) -> Vec<&Record> {
        let records = self.records.iter();
        records.filter(|record| record.event() != "loss").collect()
    }

    /// Asserts that the totals add up as the contract says.
    ///
    /// # Panics
    /// If they do not.
    pub fn assert_totals_add_up(&self) {
        let stop = self.stop();
        let number = |path: &str| stop.number(path).unwrap_or_default();
        assert_eq!(
            number("kernel.seen"),
            number("kernel.selected_out")
                + self.lost()
                + number("kernel.undecodable")
                + number("kernel.delivered"),
            "{stop:?}"
        );
        assert_eq!(number("output.delivered"), number("kernel.delivered"));
        assert_eq!(
            number("output.delivered") + number("output.derived"),
            number("output.suppressed") + number("output.written"),
            "{stop:?}"
        );
        assert_eq!(number("output.written"), self.count);
    }

    /// What the kernel half counted as lost, of all categories.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let lost = self.stop().at("kernel.lost").as_object();
        let counts = lost.into_iter().flat_map(|lost| lost.values());
        counts.filter_map(serde_json::Value::as_u64).sum()
    }
}
