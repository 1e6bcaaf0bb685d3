//! What is remembered of connections whose end is not written yet.

use std::collections::{BTreeMap, HashMap};

use tracer_core::record::{Event, Id};

use super::{
    rollup::{Kind, LEVELS, Rollup, Share, bucket},
    row::{OLDER, Row},
};

/// How many are remembered at most, as many as the pipeline follows. More can pile up only when ends are
/// lost; then the oldest is forgotten, and what is told of it later becomes a row of its own.
const OPEN_MAX: usize = 1 << 20;
/// The number of TCP.
const TCP: i64 = 6;

/// An open connection.
#[derive(Clone, Debug)]
struct Open {
    /// Its row, once there is one.
    row: Option<i64>,
    first: i64,
    /// What has moved and is counted.
    counted: Option<(i64, i64)>,
    /// The newest bucket of each level in which it counts.
    buckets: [i64; 3],
    /// Where it counts as opened.
    kind: Kind,
    /// It is an attempt that may still fail.
    is_attempt: bool,
}

/// What a batch does to a connection.
#[derive(Debug)]
pub struct Change {
    open: Open,
    /// What is to be written of it.
    pub row: Row,
    /// When how much had moved, while it was open.
    pub counts: Vec<(i64, i64, i64)>,
    is_over: bool,
}

impl Change {
    /// The number of its row, if it has one yet.
    pub fn number(&self) -> Option<i64> {
        self.open.row
    }
}

/// All open connections: as they are in the file, and as a batch that is not written yet changes them.
#[derive(Debug, Default)]
pub struct Opens {
    written: BTreeMap<Id, Open>,
    changes: HashMap<Id, usize>,
    changed: Vec<Change>,
    rollup: Rollup,
}

impl Opens {
    /// Takes what a record says. `failed`: the word of how the attempt failed.
    pub fn take(&mut self, row: Row, event: Event, failed: i64) {
        let id = row.id;
        let is_over = row.closed.is_some();
        let place = self.changes.get(&id).copied();
        let known = place.and_then(|place| self.changed.get_mut(place));
        // What comes after its end is another one of the same name.
        if let Some(change) = known.filter(|change| !change.is_over) {
            let count = next(&mut change.open, &mut self.rollup, &row, event, failed);
            change.counts.extend(count);
            change.row.go_on_as(row);
            change.is_over |= is_over;
            return;
        }
        let (open, count) = match self.written.get(&id) {
            Some(open) => {
                let mut open = open.clone();
                let count = next(&mut open, &mut self.rollup, &row, event, failed);
                (open, count)
            }
            None => (first(&mut self.rollup, &row, event, failed), None),
        };
        self.changes.insert(id, self.changed.len());
        self.changed.push(Change {
            open,
            row,
            counts: count.into_iter().collect(),
            is_over,
        });
    }

    /// What is to be written, in the order in which it was told.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// What is to be added to the sums.
    pub fn take_rollup(&mut self) -> Rollup {
        std::mem::take(&mut self.rollup)
    }

    /// It is written, into these rows.
    pub fn commit(&mut self, rows: &[i64]) {
        self.changes.clear();
        for (change, row) in self.changed.drain(..).zip(rows) {
            let id = change.row.id;
            if change.is_over {
                self.written.remove(&id);
                continue;
            }
            let open = Open {
                row: Some(*row),
                ..change.open
            };
            self.written.insert(id, open);
            if self.written.len() > OPEN_MAX {
                self.written.pop_first();
            }
        }
    }

    /// It could not be written.
    pub fn roll_back(&mut self) {
        self.changes.clear();
        self.changed.clear();
        self.rollup = Rollup::default();
    }

    /// Another run begins: nothing of the last one goes on.
    pub fn clear(&mut self) {
        self.roll_back();
        self.written.clear();
    }
}

/// Counts the first record of a connection.
fn first(rollup: &mut Rollup, row: &Row, event: Event, failed: i64) -> Open {
    let time = row.newest;
    let kind = Kind::of(row, failed);
    let is_older = row.flags & OLDER != 0;
    let counted = row.sent.zip(row.received);
    // Of what is older than the run nobody knows when it moved what had moved by then.
    let (sent, received) = counted
        .filter(|_| !is_older || row.protocol != TCP)
        .unwrap_or((0, 0));
    let share = Share {
        opened: i64::from(!is_older),
        continued: i64::from(is_older),
        sent,
        received,
    };
    for level in LEVELS {
        rollup.add(level, time, kind, share, row);
    }
    Open {
        row: None,
        first: time,
        counted,
        buckets: LEVELS.map(|level| bucket(level, time)),
        kind,
        is_attempt: event == Event::Connect && row.protocol == TCP,
    }
}

/// Counts another record of a connection. What is to be noted of what had moved by then, if it is more.
fn next(
    open: &mut Open,
    rollup: &mut Rollup,
    row: &Row,
    event: Event,
    failed: i64,
) -> Option<(i64, i64, i64)> {
    let is_update = event == Event::Update;
    // What becomes of an attempt says where it counts.
    if open.is_attempt && is_update {
        return None;
    }
    let kind = Kind::of(row, failed);
    if event == Event::Failed && open.is_attempt {
        fail(open, rollup, row, kind);
    }
    open.is_attempt = false;
    let (more, moved) = moved(open, row);
    for (place, level) in LEVELS.into_iter().enumerate() {
        let now = bucket(level, row.newest);
        let is_new = open.buckets.get(place) != Some(&now);
        let share = Share {
            opened: 0,
            continued: i64::from(is_new),
            ..more
        };
        rollup.add(level, row.newest, kind, share, row);
        if let Some(known) = open.buckets.get_mut(place) {
            *known = now;
        }
    }
    moved.filter(|_| is_update)
}

/// What has moved since it was counted last; and what had moved by then, if that is more.
fn moved(open: &mut Open, row: &Row) -> (Share, Option<(i64, i64, i64)>) {
    let Some((sent, received)) = row.sent.zip(row.received) else {
        return (Share::default(), None);
    };
    let is_older = row.flags & OLDER != 0 && row.protocol == TCP;
    // The first counters of what is older are where counting begins.
    let base = if is_older { (sent, received) } else { (0, 0) };
    let known = open.counted.unwrap_or(base);
    let counted = (sent.max(known.0), received.max(known.1));
    open.counted = Some(counted);
    let more = Share {
        sent: counted.0 - known.0,
        received: counted.1 - known.1,
        ..Share::default()
    };
    let is_more = more.sent > 0 || more.received > 0;
    (more, is_more.then_some((row.newest, counted.0, counted.1)))
}

/// An attempt that failed did not open a connection where it began.
fn fail(open: &mut Open, rollup: &mut Rollup, row: &Row, kind: Kind) {
    for level in LEVELS {
        let moved = |opened| Share {
            opened,
            ..Share::default()
        };
        rollup.add(level, open.first, open.kind, moved(-1), row);
        rollup.add(level, open.first, kind, moved(1), row);
    }
    open.kind = kind;
}
