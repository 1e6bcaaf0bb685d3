//! What of a time the file has.

use tracer_core::{
    history::{self, Span, Uncovered, Why},
    record::{Loss, Record},
};

use super::{History, Run, nanoseconds, timestamp};

impl History {
    /// When of a time nothing was recorded, or not all, in its order; and what was lost in it.
    pub fn uncovered(&self, runs: &[Run], span: Span) -> anyhow::Result<Vec<Uncovered>> {
        let known: Vec<history::Run> = runs.iter().map(known).collect();
        let mut found = history::between(&known, span);
        found.extend(self.gaps(span)?);
        found.extend(self.losses(span)?.iter().filter_map(lost));
        found.sort_by_key(|one| (one.since, one.until));
        Ok(found)
    }

    /// When the agent was there and did not run, or could not keep what it saw.
    fn gaps(&self, span: Span) -> anyhow::Result<Vec<Uncovered>> {
        let mut select = self.db.prepare_cached(
            "SELECT since, until, why, dropped FROM gap WHERE since < ?2 AND until > ?1 ORDER BY since",
        )?;
        let gaps = select.query_map(bounds(span), |row| {
            let why: String = row.get(2)?;
            let records: i64 = row.get(3)?;
            Ok(Uncovered {
                since: timestamp(row.get(0)?),
                until: timestamp(row.get(1)?),
                why: match why.as_str() {
                    "silent" => Why::Silent,
                    _ => Why::Dropped {
                        records: u64::try_from(records).unwrap_or_default(),
                    },
                },
            })
        })?;
        Ok(gaps.collect::<Result<_, _>>()?)
    }

    /// The records of loss.
    pub fn losses(&self, span: Span) -> anyhow::Result<Vec<Loss>> {
        let mut select = self.db.prepare_cached(
            "SELECT record FROM other WHERE event = 'loss' AND time >= ?1 AND time < ?2 ORDER BY time, id",
        )?;
        let mut losses = Vec::new();
        let mut rows = select.query(bounds(span))?;
        while let Some(row) = rows.next()? {
            if let Record::Loss(loss) = Record::read(row.get_ref(0)?.as_str()?)? {
                losses.push(*loss);
            }
        }
        Ok(losses)
    }

    /// What of a time was there and was removed, to keep the file small. `what`: a kind of rows, as
    /// `kept` names it.
    pub fn removed(&self, what: &str, span: Span) -> anyhow::Result<Option<Uncovered>> {
        let since = self.kept_since(what)?;
        let is_removed = since > nanoseconds(span.since);
        Ok(is_removed.then(|| Uncovered {
            since: span.since,
            until: timestamp(since).min(span.until),
            why: Why::Removed,
        }))
    }

    /// Since when rows of a kind are all there; what was not removed is there since ever.
    pub(super) fn kept_since(&self, what: &str) -> anyhow::Result<i64> {
        let mut select = self
            .db
            .prepare_cached("SELECT coalesce(max(since), ?2) FROM kept WHERE what = ?1")?;
        Ok(select.query_row((what, i64::MIN), |row| row.get(0))?)
    }
}

fn bounds(span: Span) -> [i64; 2] {
    [nanoseconds(span.since), nanoseconds(span.until)]
}

fn known(run: &Run) -> history::Run {
    history::Run {
        boot_id: run.boot_id.clone(),
        started: timestamp(run.started),
        until: run.until(),
        has_stopped: run.has_stopped,
    }
}

/// A step of the clock is told as a loss and is none.
fn lost(loss: &Loss) -> Option<Uncovered> {
    let counts = loss.lost.iter();
    let records: u64 = counts
        .filter(|(category, _)| *category != "clock_step")
        .map(|(_, count)| *count)
        .sum();
    let time = |text: &str| text.parse().unwrap_or_default();
    (records > 0).then(|| Uncovered {
        since: time(&loss.since),
        until: time(&loss.head.time),
        why: Why::Lost { records },
    })
}
