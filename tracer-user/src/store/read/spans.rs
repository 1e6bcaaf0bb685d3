//! Connections of a window, each with what it was at its begin and at its end.

use jiff::Timestamp;
use tracer_core::{
    history::Span,
    record::{Bytes, Connection},
};

use super::{
    History, Run, Table,
    kept::{COLUMNS, Kept, count},
    nanoseconds,
};

/// What of a connection is told by so many records, the first before the last.
pub type Told = Vec<Connection>;

impl History {
    /// Hands over each connection that was open in a window: as it began or was found, and as it ended or
    /// was last. What moved is what moved in the window. `runs`: all of the history.
    pub fn spans(
        &self,
        runs: &[Run],
        span: Span,
        take: &mut dyn FnMut(&Run, Told),
    ) -> anyhow::Result<()> {
        for kept in self.overlapping(span)? {
            let Some(run) = runs.iter().find(|run| run.id == kept.run) else {
                continue;
            };
            let is_gone = kept.closed.is_none() && run.until < nanoseconds(span.since);
            if !is_gone {
                let mut told = self.told(&kept, span)?;
                if kept.closed.is_none()
                    && runs.last().is_some_and(|last| last.boot_id != run.boot_id)
                {
                    // Nothing outlives its boot.
                    for record in &mut told {
                        record.state = Some("CLOSED".into());
                    }
                }
                take(run, told);
            }
        }
        Ok(())
    }

    /// What was open at a moment, as it would have been found then.
    fn at(&self, runs: &[Run], time: i64) -> anyhow::Result<Vec<Connection>> {
        let mut found = Vec::new();
        for kept in self.open_before_time(time.saturating_add(1))? {
            let is_there =
                |run: &&Run| run.id == kept.run && run.started <= time && run.was_there(time);
            if runs.iter().any(|run| is_there(&run)) {
                let bytes = self.moved_before(&kept, time.saturating_add(1))?;
                found.push(self.found(&kept, time, bytes)?);
            }
        }
        Ok(found)
    }

    /// What was open just before a window, as it would have been found then.
    pub fn open_before(&self, runs: &[Run], span: Span) -> anyhow::Result<Vec<Connection>> {
        self.at(runs, nanoseconds(span.since).saturating_sub(1))
    }

    /// What was open at a moment, as it would have been found then.
    pub fn open_at(&self, runs: &[Run], moment: Timestamp) -> anyhow::Result<Vec<Connection>> {
        self.at(runs, nanoseconds(moment))
    }

    fn told(&self, kept: &Kept, span: Span) -> anyhow::Result<Told> {
        let (since, until) = (nanoseconds(span.since), nanoseconds(span.until));
        let mut told = Vec::with_capacity(2);
        if kept.first >= since {
            told.push(self.first(kept)?);
        } else {
            let bytes = self.moved_before(kept, since)?;
            told.push(self.found(kept, since, bytes)?);
        }
        let is_over = kept.closed.is_some_and(|closed| closed < until);
        let last = if is_over { self.last(kept)? } else { None };
        match last {
            // It began with its end.
            Some(_) if told.first().is_some_and(|first| first.head.event.is_last()) => {}
            Some(last) => told.push(last),
            None if kept.newest > kept.first.max(since) => {
                let bytes = self.moved_before(kept, until)?;
                told.push(self.update(kept, kept.newest.min(until - 1), bytes)?);
            }
            None => {}
        }
        Ok(told)
    }

    /// What had moved before a time, by the newest count; `None`: nobody knows.
    pub(super) fn moved_before(&self, kept: &Kept, time: i64) -> anyhow::Result<Option<Bytes>> {
        let mut select = self.db.prepare_cached(
            "SELECT sent, received FROM count WHERE connection = ?1 AND time < ?2 ORDER BY time DESC LIMIT 1",
        )?;
        let mut rows = select.query([kept.row, time])?;
        Ok(match rows.next()? {
            Some(row) => Some(Bytes {
                sent: count(row.get(0)?),
                received: count(row.get(1)?),
            }),
            None => kept.base(),
        })
    }

    /// Those that were open in a window.
    fn overlapping(&self, span: Span) -> anyhow::Result<Vec<Kept>> {
        let table = self.table.get();
        let begun = format!(
            "SELECT {COLUMNS} FROM {} c WHERE c.first >= ?1 AND c.first < ?2",
            table.name()
        );
        let mut found =
            self.kept_by(&begun, &[nanoseconds(span.since), nanoseconds(span.until)])?;
        found.extend(self.open_before_time(nanoseconds(span.since))?);
        Ok(found)
    }

    /// Those that began before a time and were not over then.
    fn open_before_time(&self, time: i64) -> anyhow::Result<Vec<Kept>> {
        let sql = open_at(self.table.get(), COLUMNS);
        self.kept_by(&sql, &[time])
    }

    fn kept_by(&self, sql: &str, values: &[i64]) -> anyhow::Result<Vec<Kept>> {
        let mut select = self.db.prepare_cached(sql)?;
        let kept = select.query_map(rusqlite::params_from_iter(values), Kept::read)?;
        Ok(kept.collect::<Result<_, _>>()?)
    }
}

/// What lasted longer has an index of its own, `connection_long`, which says it in the same words.
const LONG_NS: i64 = 3_600_000_000_000;

/// What began before a time, and was not over then: by which index, depends on how long it lasted.
pub fn open_at(table: Table, columns: &str) -> String {
    let name = table.name();
    format!(
        "\
SELECT {columns} FROM {name} c WHERE c.closed IS NULL AND c.first < ?1
UNION ALL
SELECT {columns} FROM {name} c
    WHERE c.first >= ?1 - {LONG_NS} AND c.first < ?1 AND c.closed >= ?1 AND c.closed - c.first <= {LONG_NS}
UNION ALL
SELECT {columns} FROM {name} c
    WHERE c.closed - c.first > {LONG_NS} AND c.closed >= ?1 AND c.first < ?1"
    )
}
