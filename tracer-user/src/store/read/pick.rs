//! Connections among which all are that are asked for, found by an index, so that not all are looked at.

use std::net::IpAddr;

use anyhow::Context as _;
use ipnet::IpNet;
use tracer_core::select::Selection;

use super::History;

/// So many rows are put aside at most; where there are more, all are gone through in their place.
const PICKED_MAX: i64 = 200_000;

/// A table of connections that is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// All of them.
    All,
    /// What was put aside.
    Picked,
}

impl Table {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "main.connection",
            Self::Picked => "temp.picked",
        }
    }
}

impl History {
    /// Puts aside what a selection may keep, if it asks for few addresses.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn pick(&self, selection: &Selection) -> anyhow::Result<()> {
        let Some(networks) = selection.networks() else {
            return Ok(());
        };
        self.want(networks)?;
        let condition = "remote IN (SELECT id FROM temp.wanted)";
        let count = format!(
            "SELECT count(*) FROM (SELECT 1 FROM main.connection WHERE {condition} LIMIT {PICKED_MAX} + 1)"
        );
        let count: i64 = self.db.query_row(&count, [], |row| row.get(0))?;
        if count > PICKED_MAX {
            return Ok(());
        }
        let copy = format!(
            "DROP TABLE IF EXISTS temp.picked;
             CREATE TEMP TABLE picked AS SELECT * FROM main.connection WHERE {condition};
             CREATE UNIQUE INDEX temp.picked_id ON picked (id)"
        );
        self.db
            .execute_batch(&copy)
            .context("cannot put aside what was found")?;
        self.table.set(Table::Picked);
        Ok(())
    }

    /// Notes the addresses that are in one of the networks, in whatever form: in `temp.wanted`.
    pub(super) fn want(&self, networks: &[IpNet]) -> anyhow::Result<()> {
        self.db.execute_batch(
            "DROP TABLE IF EXISTS temp.wanted; CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY)",
        )?;
        let mut insert = self
            .db
            .prepare("INSERT INTO temp.wanted (id) VALUES (?1)")?;
        let mut select = self.db.prepare("SELECT id, ip FROM main.address")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let ip: IpAddr = row.get_ref(1)?.as_str()?.parse()?;
            if networks.iter().any(|network| network.contains(&ip)) {
                insert.execute([row.get::<_, i64>(0)?])?;
            }
        }
        Ok(())
    }
}
