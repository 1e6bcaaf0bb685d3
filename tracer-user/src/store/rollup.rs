//! Sums of connections by minute, hour and day.

use std::collections::HashMap;

use rusqlite::{Connection as Database, ToSql, named_params};

use super::row::{OLDER, Row};

/// How long the buckets are, in seconds.
pub const LEVELS: [i64; 3] = [60, 3600, 86_400];

/// Ports below this one are what a server has, at either end.
const LOW_PORTS: u16 = 1024;
/// There is no port.
const NO_PORT: i64 = -1;

/// What is summed up together, but for when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    port: i64,
    remote: i64,
    party: i64,
    protocol: i64,
    direction: i64,
    local: i64,
    other_port: i64,
    netns: u32,
    failed: i64,
}

impl Kind {
    /// Of a row. `failed`: the word of how the attempt failed; 0: it did not.
    pub fn of(row: &Row, failed: i64) -> Self {
        let other = row.other_port.map(|port| {
            let is_low = port < LOW_PORTS;
            if is_low { i64::from(port) } else { 0 }
        });
        Self {
            port: row.port.map_or(NO_PORT, i64::from),
            remote: row.remote.unwrap_or(0),
            party: row.party,
            protocol: row.protocol,
            direction: row.direction,
            local: row.local.unwrap_or(0),
            other_port: other.unwrap_or(NO_PORT),
            netns: row.netns,
            failed,
        }
    }
}

/// What a record adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    pub opened: i64,
    pub continued: i64,
    pub sent: i64,
    pub received: i64,
}

/// When a bucket begins, in seconds.
pub fn bucket(level: i64, time: i64) -> i64 {
    let seconds = time.div_euclid(1_000_000_000);
    seconds - seconds.rem_euclid(level)
}

/// A sum, and what is known of those in it.
#[derive(Clone, Copy, Debug)]
struct Sum {
    share: Share,
    first: i64,
    newest: i64,
    flags: i64,
    remote_name: Option<i64>,
    service: Option<i64>,
    state: Option<i64>,
    /// Something was taken back.
    is_less: bool,
}

/// What a batch adds to the sums.
#[derive(Debug, Default)]
pub struct Rollup(HashMap<Name, Sum>);

impl Rollup {
    /// Adds what a record says, in a bucket.
    pub fn add(&mut self, level: i64, time: i64, kind: Kind, share: Share, row: &Row) {
        let key = (level, bucket(level, time), kind);
        let sum = self.0.entry(key).or_insert(Sum {
            share: Share::default(),
            first: time,
            newest: time,
            flags: 0,
            remote_name: None,
            service: None,
            state: None,
            is_less: false,
        });
        sum.is_less |= share.opened < 0;
        sum.share.opened += share.opened;
        sum.share.continued += share.continued;
        sum.share.sent = sum.share.sent.saturating_add(share.sent);
        sum.share.received = sum.share.received.saturating_add(share.received);
        sum.flags |= row.flags & (1 | OLDER);
        sum.first = sum.first.min(time);
        let is_newest = time >= sum.newest;
        sum.newest = sum.newest.max(time);
        let either = |known: Option<i64>, new: Option<i64>| {
            if is_newest {
                new.or(known)
            } else {
                known.or(new)
            }
        };
        sum.remote_name = either(sum.remote_name, row.remote_name);
        sum.service = either(sum.service, row.service);
        sum.state = either(sum.state, row.state);
    }

    /// Writes it. What was taken back and is nothing any more is removed.
    pub fn write(self, db: &Database) -> rusqlite::Result<()> {
        let mut sums: Vec<_> = self.0.into_iter().collect();
        // Neighbours lie on the same pages.
        sums.sort_unstable_by_key(|(key, _)| *key);
        for (name, sum) in sums {
            upsert(db, &name, &sum)?;
            if sum.is_less {
                remove_empty(db, &name)?;
            }
        }
        Ok(())
    }
}

/// What names a sum.
type Name = (i64, i64, Kind);

/// As the statements have it.
fn named((level, bucket, kind): &Name) -> Vec<(&'static str, &dyn ToSql)> {
    named_params! {
        ":level": *level,
        ":bucket": *bucket,
        ":party": kind.party,
        ":protocol": kind.protocol,
        ":direction": kind.direction,
        ":local": kind.local,
        ":remote": kind.remote,
        ":port": kind.port,
        ":other_port": kind.other_port,
        ":netns": kind.netns,
        ":failed": kind.failed,
    }
    .to_vec()
}

fn upsert(db: &Database, name: &Name, sum: &Sum) -> rusqlite::Result<()> {
    let mut values = named(name);
    values.extend_from_slice(named_params! {
        ":opened": sum.share.opened,
        ":continued": sum.share.continued,
        ":sent": sum.share.sent,
        ":received": sum.share.received,
        ":first": sum.first,
        ":newest": sum.newest,
        ":flags": sum.flags,
        ":remote_name": sum.remote_name,
        ":service": sum.service,
        ":state": sum.state,
    });
    db.prepare_cached(UPSERT)?.execute(values.as_slice())?;
    Ok(())
}

fn remove_empty(db: &Database, name: &Name) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached(REMOVE_EMPTY)?;
    remove.execute(named(name).as_slice())?;
    Ok(())
}

const UPSERT: &str = "\
INSERT INTO rollup (
    level, bucket, party, protocol, direction, local, remote, port, other_port, netns, failed, opened, continued,
    sent, received, first, newest, flags, remote_name, service, state
) VALUES (
    :level, :bucket, :party, :protocol, :direction, :local, :remote, :port, :other_port, :netns, :failed, :opened,
    :continued, :sent, :received, :first, :newest, :flags, :remote_name, :service, :state
)
ON CONFLICT DO UPDATE SET
    opened = opened + excluded.opened,
    continued = continued + excluded.continued,
    sent = sent + excluded.sent,
    received = received + excluded.received,
    first = min(first, excluded.first),
    remote_name = CASE WHEN excluded.newest >= newest THEN COALESCE(excluded.remote_name, remote_name)
        ELSE COALESCE(remote_name, excluded.remote_name) END,
    service = CASE WHEN excluded.newest >= newest THEN COALESCE(excluded.service, service)
        ELSE COALESCE(service, excluded.service) END,
    state = CASE WHEN excluded.newest >= newest THEN COALESCE(excluded.state, state)
        ELSE COALESCE(state, excluded.state) END,
    newest = max(newest, excluded.newest),
    flags = flags | excluded.flags";

const REMOVE_EMPTY: &str = "\
DELETE FROM rollup
WHERE level = :level AND bucket = :bucket AND port = :port AND remote = :remote AND party = :party
    AND protocol = :protocol AND direction = :direction AND local = :local AND other_port = :other_port
    AND netns = :netns AND failed = :failed
    AND opened <= 0 AND continued <= 0 AND sent = 0 AND received = 0";
