//! The records of a window, in the order in which they were told.

use std::ops::ControlFlow;

use rusqlite::named_params;
use tracer_core::{
    history::Span,
    record::{Bytes, Record},
};

use super::{
    History, Table,
    kept::{COLUMNS, Kept, count},
    nanoseconds,
};

/// How long a handshake takes at most that is looked for: the kernel gives up long before.
const HANDSHAKE_MAX_NS: i64 = 600 * 1_000_000_000;

/// Which record a step stands for; what is none of these is the last one of a connection.
mod kind {
    /// One that is not about a connection.
    pub const OTHER: i64 = 0;
    pub const FIRST: i64 = 1;
    pub const ESTABLISHED: i64 = 2;
    pub const COUNT: i64 = 3;
}

/// Kinds of records.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// Of connections and other sockets, and loss.
    pub connections: bool,
    /// Findings of discovery.
    pub findings: bool,
}

/// Each record is a row of something: in the order of time, and of the life of a connection.
fn steps(table: Table) -> String {
    let name = table.name();
    // Of few connections, their counts are looked for; of all, those of the time.
    let counted = match table {
        Table::All => format!("main.count n CROSS JOIN {name} c"),
        Table::Picked => format!("{name} c CROSS JOIN main.count n"),
    };
    format!(
        "\
SELECT time, 0, id, NULL, NULL FROM other WHERE time >= :since AND time < :until
    AND ((:connections AND event IN ('socket', 'loss')) OR (:findings AND event = 'discovery'))
UNION ALL
SELECT first, 1, id, NULL, NULL FROM {name} WHERE :connections AND first >= :since AND first < :until
UNION ALL
SELECT established, 2, id, NULL, NULL FROM {name}
    WHERE :connections AND first >= :begun AND first < :until AND established >= :since
    AND established < :until AND established > first
UNION ALL
SELECT n.time, 3, n.connection, n.sent, n.received FROM {counted}
    WHERE :connections AND c.id = n.connection AND n.time >= :since AND n.time < :until
    AND n.time < coalesce(c.closed, :until) AND n.time > c.first
UNION ALL
SELECT closed, 4, id, NULL, NULL FROM {name}
    WHERE :connections AND closed >= :since AND closed < :until AND NOT (closed = first AND event = last_event)
ORDER BY 1, 2, 3"
    )
}

impl History {
    /// Hands over the records of a window, until nobody wants more.
    pub fn stream(
        &self,
        span: Span,
        kinds: Kinds,
        take: &mut dyn FnMut(Record) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        let since = nanoseconds(span.since);
        let mut steps = self.db.prepare(&steps(self.table.get()))?;
        let mut steps = steps.query(named_params! {
            ":since": since,
            ":until": nanoseconds(span.until),
            ":connections": kinds.connections,
            ":findings": kinds.findings,
            ":begun": since.saturating_sub(HANDSHAKE_MAX_NS),
        })?;
        while let Some(row) = steps.next()? {
            let step = Step {
                time: row.get(0)?,
                kind: row.get(1)?,
                row: row.get(2)?,
                bytes: bytes(row.get(3)?, row.get(4)?),
            };
            if let Some(record) = self.record_of(&step)?
                && take(record)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn record_of(&self, step: &Step) -> anyhow::Result<Option<Record>> {
        if step.kind == kind::OTHER {
            let mut select = self
                .db
                .prepare_cached("SELECT record FROM other WHERE id = ?1")?;
            let record: String = select.query_row([step.row], |row| row.get(0))?;
            return Ok(Some(Record::read(&record)?));
        }
        let kept = self.kept(step.row)?;
        let record = match step.kind {
            kind::FIRST => Some(self.first(&kept)?),
            kind::ESTABLISHED => Some(self.established(&kept, step.time)?),
            kind::COUNT => Some(self.update(&kept, step.time, step.bytes)?),
            _ => self.last(&kept)?,
        };
        Ok(record.map(|record| Record::Connection(Box::new(record))))
    }

    fn kept(&self, row: i64) -> anyhow::Result<Kept> {
        let select = format!("SELECT {COLUMNS} FROM connection c WHERE c.id = ?1");
        let mut select = self.db.prepare_cached(&select)?;
        Ok(select.query_row([row], Kept::read)?)
    }
}

/// A record to be.
struct Step {
    time: i64,
    kind: i64,
    row: i64,
    bytes: Option<Bytes>,
}

fn bytes(sent: Option<i64>, received: Option<i64>) -> Option<Bytes> {
    Some(Bytes {
        sent: count(sent?),
        received: count(received?),
    })
}
