//! What a file has, and whether it is whole.

use std::path::Path;

use rusqlite::Params;
use serde::Serialize;

use super::{History, kept::count, timestamp};
use crate::store::{rollup::LEVELS, size};

/// What a history has.
#[derive(Debug, Serialize)]
pub struct Info {
    /// Where it is.
    pub file: String,
    /// Whose it is.
    pub host: String,
    /// The version of its schema.
    pub schema: u64,
    /// How large it is, with what is not yet in its place (the WAL).
    pub bytes: u64,
    /// What of that has nothing on it.
    pub free_bytes: u64,
    /// Connections and listeners.
    pub connections: u64,
    /// What had moved at times between.
    pub counts: u64,
    /// Findings, sockets that are not followed, losses.
    pub others: u64,
    /// Sums of minutes, hours and days.
    pub sums: u64,
    /// Owners.
    pub owners: u64,
    /// What was removed.
    pub kept: Vec<Kept>,
    /// The runs.
    pub runs: Vec<RunInfo>,
}

/// A kind of rows, and since when it is all there.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// `connection`, `other`, or the seconds of sums.
    pub what: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
}

/// A run of the agent.
#[derive(Debug, Serialize)]
pub struct RunInfo {
    /// Names the boot.
    pub boot_id: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// When it ended, or was there last.
    pub until: String,
    /// It ended by itself.
    pub has_stopped: bool,
}

impl History {
    /// What it has.
    pub fn info(&self, path: &Path) -> anyhow::Result<Info> {
        let rows = |table: &str| self.number(&format!("SELECT count(*) FROM main.{table}"), []);
        let pragma = |name: &str| self.number(&format!("PRAGMA {name}"), []);
        let page = pragma("page_size")?;
        let runs = self.runs()?;
        let runs = runs.iter().map(|run| RunInfo {
            boot_id: run.boot_id.clone(),
            started: format!("{:.9}", timestamp(run.started)),
            until: format!("{:.9}", timestamp(run.until)),
            has_stopped: run.has_stopped,
        });
        Ok(Info {
            file: path.display().to_string(),
            host: self.host.to_string(),
            schema: pragma("user_version")?,
            bytes: size(path),
            free_bytes: pragma("freelist_count")? * page,
            connections: rows("connection")?,
            counts: rows("count")?,
            others: rows("other")?,
            sums: rows("rollup")?,
            owners: rows("owner")?,
            kept: self.all_kept()?,
            runs: runs.collect(),
        })
    }

    fn all_kept(&self) -> anyhow::Result<Vec<Kept>> {
        let mut select = self
            .db
            .prepare("SELECT what, since FROM kept ORDER BY what")?;
        let kept = select.query_map([], |row| {
            Ok(Kept {
                what: row.get(0)?,
                since: format!("{:.9}", timestamp(row.get(1)?)),
            })
        })?;
        Ok(kept.collect::<Result<_, _>>()?)
    }

    fn number(&self, sql: &str, values: impl Params) -> rusqlite::Result<u64> {
        self.db.query_row(sql, values, |row| row.get(0)).map(count)
    }

    /// Writes a copy into an empty file.
    pub fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        // It is not written within a transaction.
        self.db.execute_batch("COMMIT")?;
        let path = path.to_str().unwrap_or_default();
        self.db.execute("VACUUM main INTO ?1", [path])?;
        self.db.execute_batch("BEGIN")?;
        Ok(())
    }

    /// What is wrong with it, in sentences; none: nothing.
    pub fn verify(&self) -> anyhow::Result<Vec<String>> {
        let mut wrong = self.broken()?;
        for (what, missing) in [
            (
                "owner",
                "SELECT count(*) FROM connection WHERE owner NOT IN (SELECT id FROM owner)",
            ),
            (
                "run",
                "SELECT count(*) FROM connection WHERE run NOT IN (SELECT id FROM run)",
            ),
            (
                "address",
                "SELECT count(*) FROM connection WHERE remote NOT IN (SELECT id FROM address)",
            ),
            (
                "word",
                "SELECT count(*) FROM connection WHERE event NOT IN (SELECT id FROM text)",
            ),
        ] {
            let count = self.number(missing, [])?;
            if count > 0 {
                wrong.push(format!("the {what} of {count} connections is not there"));
            }
        }
        for level in LEVELS {
            wrong.extend(self.differing(level)?);
        }
        Ok(wrong)
    }

    /// What a look at all pages finds.
    fn broken(&self) -> anyhow::Result<Vec<String>> {
        let mut check = self.db.prepare("PRAGMA integrity_check(20)")?;
        let found = check.query_map([], |row| row.get::<_, String>(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|one| one != "ok").collect())
    }

    /// Whether the sums of a length are those of the connections, as long as nothing of either was removed.
    fn differing(&self, level: i64) -> anyhow::Result<Option<String>> {
        let is_removed = "SELECT count(*) FROM kept WHERE what IN ('connection', ?1)";
        if self.number(is_removed, [level.to_string()])? > 0 {
            return Ok(None);
        }
        let details = "SELECT coalesce(sum(coalesce(sent, 0) - coalesce(first_sent, 0)
            + coalesce(received, 0) - coalesce(first_received, 0)), 0) FROM connection";
        let sums = "SELECT coalesce(sum(sent + received), 0) FROM rollup WHERE level = ?1";
        let (details, sums) = (self.number(details, [])?, self.number(sums, [level])?);
        Ok((details != sums).then(|| {
            format!("connections moved {details} bytes, and their sums of {level} s say {sums}")
        }))
    }
}
