//! What is left when the writer ends at any moment, or cannot write.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use rusqlite::Connection as Database;
use tracer_core::record::{Event, Record};

use super::{
    Directory, assert_sums, book,
    made::{EPOCH, Made, SECOND, start, stop},
    number, read,
};
use crate::store::{Keep, Writer, write::Handle};

/// Names the history to a process that is there to be killed.
const VICTIM: &str = "CONNTRACER_STORE_VICTIM";
/// How often one is killed.
const KILLS: u64 = 200;
/// How many records may wait.
const ROOM: usize = 5000;
/// How long a test waits for what it expects.
const DEADLINE: Duration = Duration::from_mins(2);

pub fn everything() -> Keep {
    let long = Duration::from_hours(24 * 365_000);
    Keep {
        details: long,
        minutes: long,
        hours: long,
        days: long,
        bytes: 1 << 40,
    }
}

fn writer(path: &Path) -> (Writer, Handle) {
    let writer = Writer::with_room(ROOM, book(path), everything(), Box::new(|_| {})).unwrap();
    let handle = writer.handle();
    (writer, handle)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        std::thread::yield_now();
    }
}

/// Not a test: writes until it is killed, and says what it has committed.
#[test]
#[expect(clippy::print_stdout, reason = "it tells the test that has started it")]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(VICTIM) else {
        return;
    };
    let mut book = book(Path::new(&path));
    let before = number(book.db(), "SELECT count(*) FROM connection");
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    let first = u64::try_from(before).unwrap() + 1;
    for batch in 0_u64.. {
        let mut records = Vec::new();
        for number in first + batch * 20..first + batch * 20 + 20 {
            let one = Made::new(number);
            let time = EPOCH + i64::try_from(number).unwrap() * SECOND;
            records.extend(one.life(time));
            // Of some the end comes with a later batch, or never.
            if number % 5 == 0 {
                records.pop();
                records.push(one.counted(time + 70 * SECOND, Event::Update, 5, 6));
            }
            if number % 10 == 0 && number - 10 >= first {
                records.push(Made::new(number - 10).counted(time, Event::Update, 50, 60));
            }
        }
        book.write(&records, &[], EPOCH).unwrap();
        println!("committed {}", first + batch * 20 + 19);
        std::io::stdout().flush().unwrap();
    }
}

fn victim(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::ends::writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(VICTIM, path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The next number that it says is committed.
fn committed(line: &str) -> Option<i64> {
    let (_, number) = line.split_once("committed ")?;
    number.parse().ok()
}

#[test]
fn what_was_committed_is_there_whenever_it_is_killed() {
    let directory = Directory::new();
    let path = directory.history();
    let mut at_least = 0;
    for round in 0..KILLS {
        let mut victim = victim(&path);
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        // At any moment: before the file is there, while it is opened, after some batches.
        let wanted = round % 5;
        let mut seen = 0;
        while seen < wanted {
            let line = lines.next().unwrap().unwrap();
            if let Some(number) = committed(&line) {
                at_least = at_least.max(number);
                seen += 1;
            }
        }
        let begun = Instant::now();
        let chance = u64::from(std::process::id()).wrapping_mul(round + 1) * 7919 % 4000;
        while begun.elapsed() < Duration::from_micros(chance) {
            std::hint::spin_loop();
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            at_least = committed(&line).map_or(at_least, |number| at_least.max(number));
        }
        if at_least == 0 {
            continue;
        }
        let db = read(&path);
        let check: String = db
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok", "round {round}");
        let count = number(&db, "SELECT count(*) FROM connection");
        assert!(count >= at_least, "round {round}: {count} of {at_least}");
        assert_eq!(count % 20, 0, "round {round}");
        assert_sums(&db);
    }
    assert!(at_least > i64::try_from(KILLS).unwrap() * 20, "{at_least}");
}

fn lives(from: u64, count: u64) -> Vec<Record> {
    (from..from + count)
        .flat_map(|number| {
            let seconds = i64::try_from(number / 1000).unwrap();
            Made::new(number).life(EPOCH + seconds * SECOND)
        })
        .collect()
}

#[test]
fn while_another_program_holds_the_file_records_wait_and_what_has_no_place_is_counted() {
    let directory = Directory::new();
    let path = directory.history();
    let (mut writer, handle) = writer(&path);
    assert!(!handle.standing().has_begun);
    writer.add(&[start(EPOCH)]);
    wait_until("the run is there", || {
        number(&read(&path), "SELECT count(*) FROM run") == 1
    });
    wait_until("that is told", || handle.standing().has_begun);
    let other = Database::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let count = u64::try_from(ROOM).unwrap();
    let records = lives(1, count);
    for batch in records.chunks(500) {
        writer.add(batch);
    }
    assert!(handle.has_lost());
    wait_until("it is told that writing fails", || {
        handle.standing().is_failing
    });
    let standing = handle.standing();
    assert!(standing.has_begun);
    assert_eq!((standing.waiting, standing.room), (ROOM, ROOM));
    assert_eq!(
        standing.lost + ROOM as u64,
        u64::try_from(records.len()).unwrap()
    );
    assert_eq!(number(&read(&path), "SELECT count(*) FROM connection"), 0);
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // Room again, and then the end.
    wait_until("the gap is written", || {
        number(&read(&path), "SELECT count(*) FROM gap") > 0
    });
    writer.add(&[stop(EPOCH + 1000 * SECOND)]);
    crate::output::sink::RecordSink::end(&mut writer).unwrap();
    let after = handle.standing();
    assert_eq!(
        (after.waiting, after.is_failing, after.lost),
        (0, false, standing.lost)
    );
    let db = read(&path);
    let dropped = number(&db, "SELECT sum(dropped) FROM gap WHERE why = 'dropped'");
    let written = "SELECT count(*) * 3 - count(*) FILTER (WHERE established IS NULL) \
        - count(*) FILTER (WHERE closed IS NULL) FROM connection";
    assert_eq!(
        number(&db, written) + dropped,
        i64::try_from(records.len()).unwrap()
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM run WHERE stopped IS NOT NULL"),
        1
    );
    assert_sums(&db);
}

/// Acts where a directory is a disk of this size. Nobody else sees it.
fn on_small_disk<T: Send>(directory: &Path, size: &str, act: impl FnOnce() -> T + Send) -> T {
    let alone = || -> nix::Result<()> {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        let kind = Some("tmpfs");
        mount(kind, directory, kind, MsFlags::empty(), Some(size))
    };
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            alone().unwrap();
            act()
        });
        acting.join().unwrap()
    })
}

#[test]
fn a_full_disk_loses_nothing_that_has_a_place_to_wait() {
    let directory = Directory::new();
    let place = directory.0.clone();
    on_small_disk(&place, "size=4m", || {
        let path = place.join("history.db");
        // Filled by somebody else, but for a little.
        let filler = place.join("filler");
        let (mut writer, handle) = writer(&path);
        writer.add(&[start(EPOCH)]);
        wait_until("the run is there", || {
            number(&read(&path), "SELECT count(*) FROM run") == 1
        });
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        drop(file);
        writer.add(&lives(1, 1000));
        let short = Instant::now() + Duration::from_secs(3);
        wait_until("it was tried several times", || Instant::now() > short);
        wait_until("it is told that writing fails", || {
            handle.standing().is_failing
        });
        let before = handle.standing();
        wait_until("it is there all the same", || {
            handle.standing().heard > before.heard
        });
        assert!(number(&read(&path), "SELECT count(*) FROM connection") < 1000);
        std::fs::remove_file(&filler).unwrap();
        wait_until("all is written", || {
            number(&read(&path), "SELECT count(*) FROM connection") == 1000
        });
        assert!(!handle.has_lost());
        crate::output::sink::RecordSink::end(&mut writer).unwrap();
        let db = read(&path);
        assert_sums(&db);
        let check: String = db
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
    });
}

#[test]
fn readers_never_block_the_writer() {
    let directory = Directory::new();
    let path = directory.history();
    let mut book = book(&path);
    book.write(&[start(EPOCH)], &[], EPOCH).unwrap();
    book.write(&lives(1, 100), &[], EPOCH).unwrap();
    let reader = read(&path);
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(number(&reader, "SELECT count(*) FROM connection"), 100);
    for batch in 1..20 {
        book.write(&lives(batch * 100 + 1, 100), &[], EPOCH)
            .unwrap();
    }
    assert_eq!(number(&reader, "SELECT count(*) FROM connection"), 100);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(number(&reader, "SELECT count(*) FROM connection"), 2000);
}
