//! What is known of a long time by sums: of whole minutes, hours and days.

use jiff::Timestamp;
use rusqlite::{Row, named_params};
use tracer_core::{
    history::{PATIENCE, Span},
    hosts::Sum,
    outcome::Outcome,
    protocol::Protocol,
    record::Bytes,
    report::Known,
};

use super::{History, Table, kept::count, nanoseconds, spans::open_at, timestamp};
use crate::store::{
    rollup::LEVELS,
    row::{INFERRED, OLDER, direction_of},
};

/// Details are gone through up to so many connections; of more, sums are told.
const DETAILS_MAX: i64 = 50_000;

/// So many seconds of so many buckets of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    level: i64,
    since: i64,
    until: i64,
}

impl History {
    /// Whether so much happened in a window that sums answer better, or details of it were removed.
    pub fn is_much(&self, span: Span) -> anyhow::Result<bool> {
        if self.kept_since("connection")? > nanoseconds(span.since) {
            return Ok(true);
        }
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM connection WHERE first >= ?1 AND first < ?2 LIMIT {DETAILS_MAX} + 1)"
        );
        let window = [nanoseconds(span.since), nanoseconds(span.until)];
        let count: i64 = self
            .db
            .prepare_cached(&sql)?
            .query_row(window, |row| row.get(0))?;
        Ok(count > DETAILS_MAX)
    }

    /// The sums of a window, and which one it became: it begins and ends with a bucket.
    pub fn sums(&self, span: Span) -> anyhow::Result<(Span, Vec<Sum>)> {
        let (since, until) = (
            nanoseconds(span.since).div_euclid(1_000_000_000),
            nanoseconds(span.until.max(span.since))
                .saturating_sub(1)
                .div_euclid(1_000_000_000)
                + 1,
        );
        let since = floor(since, self.level_at(since)?);
        let until = ceil(until, self.level_at(until)?);
        let mut sums = Vec::new();
        for piece in pieces(since, until) {
            self.add(piece, &mut sums)?;
        }
        let begin = since.saturating_mul(1_000_000_000);
        for mut older in self.sums_open_at(begin)? {
            older.first = timestamp(begin);
            older.last = older.first;
            sums.push(older);
        }
        for mut open in self.sums_open_at(nanoseconds(span.until))? {
            open.open = std::mem::take(&mut open.connections);
            open.first = open.first.max(timestamp(begin));
            open.last = open.first;
            sums.push(open);
        }
        let second = |second: i64| Timestamp::from_second(second).unwrap_or_default();
        let became = Span {
            since: second(since),
            until: second(until),
        };
        Ok((became, sums))
    }

    /// Whom this host connected to before a time, by the sums of whole minutes.
    pub fn known_before(&self, time: Timestamp) -> anyhow::Result<Vec<Known>> {
        let mut select = self.db.prepare_cached(KNOWN)?;
        let mut rows = select.query([nanoseconds(time)])?;
        let mut known = Vec::new();
        while let Some(row) = rows.next()? {
            let (ip, _) = self.names.borrow_mut().address(&self.db, row.get(0)?)?;
            known.push(Known {
                ip,
                port: u16::try_from(row.get::<_, i64>(1)?).ok(),
                protocol: Protocol::of_number(row.get(2)?).unwrap_or(Protocol::Tcp),
                first: timestamp(row.get(3)?),
                last: timestamp(row.get(4)?),
            });
        }
        Ok(known)
    }

    /// The shortest buckets that are kept of a time.
    fn level_at(&self, second: i64) -> anyhow::Result<i64> {
        for level in LEVELS {
            if self.kept_since(&level.to_string())? <= second.saturating_mul(1_000_000_000) {
                return Ok(level);
            }
        }
        Ok(LEVELS[LEVELS.len() - 1])
    }

    fn add(&self, piece: Piece, sums: &mut Vec<Sum>) -> anyhow::Result<()> {
        let mut select = self.db.prepare_cached(SUMS)?;
        let mut rows = select.query(named_params! {
            ":level": piece.level,
            ":since": piece.since,
            ":until": piece.until,
        })?;
        while let Some(row) = rows.next()? {
            sums.push(self.sum(row)?);
        }
        Ok(())
    }

    fn sum(&self, row: &Row<'_>) -> anyhow::Result<Sum> {
        let (db, mut names) = (&self.db, self.names.borrow_mut());
        let some = |column: usize| -> rusqlite::Result<Option<i64>> {
            let id: Option<i64> = row.get(column)?;
            Ok(id.filter(|id| *id > 0))
        };
        let port = |column: usize| -> rusqlite::Result<Option<u16>> {
            let port: i64 = row.get(column)?;
            Ok(u16::try_from(port).ok())
        };
        let local = names.address_of(db, some(3)?)?;
        let remote = names.address_of(db, some(4)?)?;
        let flags: i64 = row.get(13)?;
        let direction = direction_of(row.get(2)?);
        Ok(Sum {
            direction,
            is_observed: flags & INFERRED == 0 && direction.is_some(),
            is_of_device: false,
            protocol: Protocol::of_number(row.get(1)?).unwrap_or(Protocol::Tcp),
            local: local.map(|(ip, _)| ip),
            remote: remote.map(|(ip, _)| ip),
            port: port(5)?,
            other_port: port(6)?.filter(|port| *port > 0),
            netns: row.get(7)?,
            failed: names.word::<Outcome>(db, some(8)?)?,
            connections: count(row.get(9)?),
            open: 0,
            bytes: Some(Bytes {
                sent: count(row.get(10)?),
                received: count(row.get(11)?),
            }),
            either_way: 0,
            first: timestamp(row.get(12)?),
            last: timestamp(row.get(14)?),
            open_before: flags & OLDER != 0,
            who: some(0)?.map(|party| names.party(db, party)).transpose()?,
            remote_name: names.text_of(db, row.get(15)?)?,
            scope: remote.and_then(|(_, scope)| scope),
            service: names.text_of(db, row.get(16)?)?,
            state: names.text_of(db, row.get(17)?)?,
        })
    }

    /// Sums of what was open at a time, as far as its details are kept.
    fn sums_open_at(&self, time: i64) -> anyhow::Result<Vec<Sum>> {
        let mut select = self.db.prepare_cached(&open())?;
        let mut rows = select.query([time])?;
        let mut sums = Vec::new();
        while let Some(row) = rows.next()? {
            sums.push(self.sum(row)?);
        }
        Ok(sums)
    }
}

/// The columns that [`History::sum`] reads. Of what is said by the newest, `max` takes the row with the
/// maximum of `newest`.
const SUMS: &str = "\
SELECT party, protocol, direction, local, remote, port, other_port, netns, failed,
    sum(opened), sum(sent), sum(received), min(first),
    max(flags & 1) | max(flags & 2), max(newest), remote_name, service, state
FROM rollup WHERE level = :level AND bucket >= :since AND bucket < :until
GROUP BY party, protocol, direction, local, remote, port, other_port, netns, failed";

/// The same of connections that were open at a time. What a run left open was open until it was there last.
fn open() -> String {
    let open = open_at(Table::All, "*");
    let patience = PATIENCE.as_nanos();
    format!(
        "\
SELECT o.party, c.protocol, c.direction, c.local, c.remote, coalesce(c.port, -1),
    CASE WHEN c.other_port < 1024 THEN c.other_port ELSE 0 END, c.netns, 0, count(*), 0, 0, min(c.first),
    max(c.flags & 1) | max(c.flags & 2), max(c.newest), c.remote_name, c.service, c.state
FROM ({open}) c
JOIN run r ON r.id = c.run
LEFT JOIN owner o ON o.id = c.owner
WHERE c.direction <> 3 AND (c.closed IS NOT NULL OR (r.stopped IS NULL AND r.heartbeat + {patience} >= ?1)
    OR r.stopped >= ?1)
GROUP BY o.party, c.protocol, c.direction, c.local, c.remote, 6, 7, c.netns"
    )
}

/// Destinations of connections that began before a time. Days are kept longest; of the day in which the
/// time lies, a sum says no more than when the first of it was.
const KNOWN: &str = "\
SELECT remote, port, protocol, min(first), max(min(newest, ?1)) FROM rollup
WHERE level = 86400 AND direction = 1 AND remote > 0 AND first < ?1
GROUP BY remote, port, protocol";

/// A time in the longest buckets that there are in it.
fn pieces(since: i64, until: i64) -> Vec<Piece> {
    fn cover(since: i64, until: i64, levels: &[i64], found: &mut Vec<Piece>) {
        let Some((level, shorter)) = levels.split_last() else {
            return;
        };
        if since >= until {
            return;
        }
        let (first, last) = (ceil(since, *level), floor(until, *level));
        if first >= last {
            return cover(since, until, shorter, found);
        }
        cover(since, first, shorter, found);
        found.push(Piece {
            level: *level,
            since: first,
            until: last,
        });
        cover(last, until, shorter, found);
    }
    let mut found = Vec::new();
    cover(since, until, &LEVELS, &mut found);
    found
}

fn floor(second: i64, level: i64) -> i64 {
    second - second.rem_euclid(level)
}

fn ceil(second: i64, level: i64) -> i64 {
    floor(second.saturating_add(level - 1), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_covered_once_by_the_longest_buckets() {
        let day = 86_400;
        let piece = |level, since, until| Piece {
            level,
            since,
            until,
        };
        assert_eq!(pieces(60, 180), [piece(60, 60, 180)]);
        assert_eq!(
            pieces(day - 3660, 3 * day + 3660),
            [
                piece(60, day - 3660, day - 3600),
                piece(3600, day - 3600, day),
                piece(day, day, 3 * day),
                piece(3600, 3 * day, 3 * day + 3600),
                piece(60, 3 * day + 3600, 3 * day + 3660),
            ]
        );
        assert_eq!(pieces(120, 120), []);
    }
}
