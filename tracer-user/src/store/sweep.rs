//! Looks for words, addresses and owners that nothing refers to any more, a little at a time.

use rusqlite::{Connection as Database, TransactionBehavior};

use super::book::Book;

/// So many rows are looked at, at once.
const PIECE: i64 = 20_000;

/// What can be referred to. The owners come before their parties.
pub const TABLES: [&str; 4] = ["owner", "party", "text", "address"];
/// Places in [`TABLES`].
pub const OWNER: usize = 0;
pub const PARTY: usize = 1;
pub const TEXT: usize = 2;
pub const ADDRESS: usize = 3;

/// Numbers of rows that are needed, by table.
#[derive(Debug, Default)]
pub struct Marks([Vec<u64>; 4]);

impl Marks {
    /// It is needed.
    pub fn mark(&mut self, table: usize, id: i64) {
        let (Some(bits), Ok(id)) = (self.0.get_mut(table), usize::try_from(id)) else {
            return;
        };
        let word = id / 64;
        if word >= bits.len() {
            bits.resize(word + 1, 0);
        }
        if let Some(bits) = bits.get_mut(word) {
            *bits |= 1 << (id % 64);
        }
    }

    fn has(&self, table: usize, id: i64) -> bool {
        let Ok(id) = usize::try_from(id) else {
            return true;
        };
        let bits = self.0.get(table).and_then(|bits| bits.get(id / 64));
        bits.is_some_and(|bits| bits & (1 << (id % 64)) != 0)
    }
}

/// How far it has come. What is referred to anew meanwhile, the dictionary marks.
#[derive(Debug)]
pub struct Sweep {
    /// The last rows that there were when it began.
    last: [i64; 4],
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Connections behind this one are still to be looked at.
    Connections(i64),
    /// Sums behind this bucket of this level.
    Sums(usize, i64),
    /// Rows of a table behind this one.
    Rows(usize, i64),
}

/// What a connection refers to: column, table.
const OF_CONNECTION: &str = "\
SELECT id, owner, local, remote, event, last_event, state, outcome, error, remote_name, name_source, service,
    attribution, ancestry
FROM connection WHERE id > ?1 ORDER BY id LIMIT ?2";
const CONNECTION_TABLES: [usize; 13] = [
    OWNER, ADDRESS, ADDRESS, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT,
];
/// What a sum refers to.
const OF_SUM: &str = "\
SELECT bucket, party, local, remote, failed, remote_name, service, state
FROM rollup WHERE level = ?1 AND bucket > ?2 AND bucket <= ?3";
const SUM_TABLES: [usize; 7] = [PARTY, ADDRESS, ADDRESS, TEXT, TEXT, TEXT, TEXT];

impl Sweep {
    /// Begins.
    pub fn begin(book: &mut Book) -> rusqlite::Result<Self> {
        let mut last = [0; 4];
        for (last, table) in last.iter_mut().zip(TABLES) {
            let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
            *last = book.db().query_row(&sql, [], |row| row.get(0))?;
        }
        book.dictionary().begin_marking();
        Ok(Self {
            last,
            phase: Phase::Connections(0),
        })
    }

    /// Looks at a little more. Whether there is more.
    pub fn step(&mut self, book: &mut Book) -> rusqlite::Result<bool> {
        let mut marks = book.dictionary().marks().unwrap_or_default();
        let next = match self.phase {
            Phase::Connections(after) => of_connections(book.db(), &mut marks, after),
            Phase::Sums(place, after) => of_sums(book.db(), &mut marks, place, after),
            Phase::Rows(table, after) => self.remove(book, &mut marks, table, after),
        };
        book.dictionary().put_marks(marks);
        let next = next?;
        if let Some(phase) = next {
            self.phase = phase;
        } else {
            book.dictionary().end_marking();
        }
        Ok(next.is_some())
    }

    fn remove(
        &self,
        book: &mut Book,
        marks: &mut Marks,
        table: usize,
        after: i64,
    ) -> rusqlite::Result<Option<Phase>> {
        let (Some(name), Some(last)) = (TABLES.get(table), self.last.get(table)) else {
            return Ok(None);
        };
        let column = if table == OWNER { "party" } else { "0" };
        let sql = format!(
            "SELECT id, {column} FROM {name} WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
        );
        let transaction = book
            .db()
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut newest = None;
        {
            let mut rows = transaction.prepare(&sql)?;
            let mut delete = transaction.prepare(&format!("DELETE FROM {name} WHERE id = ?1"))?;
            let mut rows = rows.query((after, last, PIECE))?;
            while let Some(row) = rows.next()? {
                let (id, party): (i64, i64) = (row.get(0)?, row.get(1)?);
                newest = Some(id);
                if !marks.has(table, id) {
                    delete.execute([id])?;
                } else if table == OWNER {
                    marks.mark(PARTY, party);
                }
            }
        }
        transaction.commit()?;
        Ok(Some(newest.map_or(Phase::Rows(table + 1, 0), |newest| {
            Phase::Rows(table, newest)
        })))
    }
}

fn of_connections(db: &Database, marks: &mut Marks, after: i64) -> rusqlite::Result<Option<Phase>> {
    let newest = mark(db, marks, OF_CONNECTION, (after, PIECE), &CONNECTION_TABLES)?;
    Ok(Some(
        newest.map_or(Phase::Sums(0, i64::MIN), Phase::Connections),
    ))
}

fn of_sums(
    db: &Database,
    marks: &mut Marks,
    place: usize,
    after: i64,
) -> rusqlite::Result<Option<Phase>> {
    let Some(level) = super::rollup::LEVELS.get(place) else {
        return Ok(Some(Phase::Rows(0, 0)));
    };
    let piece = "SELECT max(bucket) FROM \
        (SELECT bucket FROM rollup WHERE level = ?1 AND bucket > ?2 ORDER BY bucket LIMIT ?3)";
    let until: Option<i64> = db.query_row(piece, (level, after, PIECE), |row| row.get(0))?;
    let Some(until) = until else {
        return Ok(Some(Phase::Sums(place + 1, i64::MIN)));
    };
    mark(db, marks, OF_SUM, (level, after, until), &SUM_TABLES)?;
    Ok(Some(Phase::Sums(place, until)))
}

/// Marks what rows refer to. The first column of the last one.
fn mark(
    db: &Database,
    marks: &mut Marks,
    sql: &str,
    values: impl rusqlite::Params,
    tables: &[usize],
) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut newest = None;
    while let Some(row) = rows.next()? {
        newest = Some(row.get(0)?);
        for (column, table) in tables.iter().enumerate() {
            if let Some(id) = row.get::<_, Option<i64>>(column + 1)? {
                marks.mark(*table, id);
            }
        }
    }
    Ok(newest)
}
