//! The thread that writes, so that tracing never waits for a disk.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::ErrorCode;
use tracer_core::{clock::Clock, record::Record};
use tracing::{error, info, warn};

use super::{
    book::Book,
    queue::{Queue, Settings, Standing, WAITING_MAX, Work},
    retention::{Keep, Retention},
};
use crate::{
    host::clock::boot_ns,
    output::sink::{RecordSink, Written},
    run::{LOSS, NOTES},
};

/// What cannot be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// At the end it is tried for so long.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// What the writer tells whoever runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first record of the run is written.
    Began,
    /// It goes on, and so does the tracing.
    Alive,
    /// What is left is written.
    Ending,
}

/// Hears of progress.
pub type Listener = Box<dyn Fn(Progress) + Send>;

/// Where records are handed over.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

/// What remains when the writer is handed over.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Queue>);

impl Handle {
    /// Other settings are to be used.
    pub fn change(&self, settings: Settings) {
        self.0.change(settings);
    }

    /// Whether something was lost on the way to the disk.
    pub fn has_lost(&self) -> bool {
        self.0.has_lost()
    }

    /// How it stands with what is to be written.
    pub fn standing(&self) -> Standing {
        self.0.standing()
    }
}

impl Writer {
    /// Starts to write.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(book: Book, keep: Keep, listener: Listener) -> anyhow::Result<Self> {
        Self::with_room(WAITING_MAX, book, keep, listener)
    }

    /// The same, where so many records wait at most.
    pub(super) fn with_room(
        room: usize,
        book: Book,
        keep: Keep,
        listener: Listener,
    ) -> anyhow::Result<Self> {
        let queue = Arc::new(Queue::new(room));
        let thread = Thread {
            book,
            retention: Retention::new(keep),
            listener,
            queue: queue.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || thread.run())
            .context("cannot start a thread")?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// What remains when it is handed over.
    pub fn handle(&self) -> Handle {
        Handle(self.queue.clone())
    }

    /// Hands over records. It never waits for the disk.
    pub fn add(&self, records: &[Record]) {
        self.queue.add(records, boot_ns(), now());
    }

    fn finish(&mut self) {
        self.queue.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!(target: LOSS, "what writes the history has panicked");
        }
    }
}

impl RecordSink for Writer {
    fn take(&mut self, records: &[Record], _: &Clock) -> anyhow::Result<Written> {
        self.add(records);
        Ok(Written::All)
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        self.finish();
        Ok(Written::All)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Where the run has failed, what there is is written all the same.
        self.finish();
    }
}

/// The wall clock, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default()
}

/// What writes.
struct Thread {
    book: Book,
    retention: Retention,
    listener: Listener,
    queue: Arc<Queue>,
}

impl Thread {
    fn run(mut self) {
        let mut is_busy = false;
        loop {
            let mut work = self.queue.next(is_busy);
            if let Some(settings) = work.settings.take() {
                self.book.keep_arguments(settings.arguments);
                self.retention.keep(settings.keep);
            }
            if work.is_last {
                (self.listener)(Progress::Ending);
            }
            if !self.write(&work) || work.is_last {
                break;
            }
            self.tell();
            is_busy = self.retention.step(&mut self.book, now());
        }
    }

    /// Writes it, however often it takes. Whether there is time for more.
    fn write(&mut self, work: &Work) -> bool {
        let mut ending: Option<Instant> = None;
        while let Err(why) = self.book.write(&work.records, &work.gaps, now()) {
            if !can_pass(&why) {
                self.say(&why);
                self.queue.lost(work);
                return true;
            }
            self.say(&why);
            self.tell();
            if self.queue.is_over() {
                let since = ending.get_or_insert_with(Instant::now);
                if since.elapsed() > LAST_PATIENCE {
                    let lost = self.queue.abandon(work);
                    error!(target: LOSS, "records were lost: history: {lost} could not be written");
                    return false;
                }
                // Nobody wakes it any more.
                std::thread::sleep(AGAIN);
            }
            self.queue.pause(AGAIN);
        }
        let dropped = self.queue.written(work);
        self.say_recovered(dropped);
        true
    }

    /// Says once what is wrong.
    fn say(&mut self, why: &rusqlite::Error) {
        if self.queue.set_failing(true) {
            let (path, room) = (self.book.path().display(), self.queue.room());
            warn!(
                target: NOTES,
                "the history {path} cannot be written: {why}; it is tried again, and up to {room} records wait"
            );
        }
    }

    fn say_recovered(&mut self, dropped: Option<u64>) {
        let path = self.book.path().display();
        if self.queue.set_failing(false) {
            info!(target: NOTES, "the history {path} is written again");
        }
        if let Some(dropped) = dropped {
            error!(target: LOSS, "records were lost: history: {dropped} had no place to wait");
        }
    }

    fn tell(&mut self) {
        if self.book.run().is_some() && self.queue.begin() {
            (self.listener)(Progress::Began);
        }
        if self.queue.was_alive() {
            (self.listener)(Progress::Alive);
        }
    }
}

/// Whether it may be written another time: what is wrong is the disk, or who else holds the file.
fn can_pass(why: &rusqlite::Error) -> bool {
    matches!(
        why.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
        )
    )
}
