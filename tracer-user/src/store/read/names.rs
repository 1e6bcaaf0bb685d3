//! What numbers of the file mean.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use anyhow::Context as _;
use rusqlite::Connection as Database;
use serde::de::DeserializeOwned;
use tracer_core::{
    hosts::Who,
    record::{Ancestor, Owner},
    scope::Scope,
};

/// So many of each kind are remembered.
const KNOWN_MAX: usize = 1 << 17;

/// What was looked up.
#[derive(Debug, Default)]
pub struct Names {
    texts: HashMap<i64, Arc<str>>,
    addresses: HashMap<i64, (IpAddr, Option<Scope>)>,
    owners: HashMap<i64, Arc<Owner>>,
    ancestries: HashMap<i64, Arc<[Ancestor]>>,
    parties: HashMap<i64, Arc<Who>>,
}

impl Names {
    /// A word or name.
    pub fn text(&mut self, db: &Database, id: i64) -> anyhow::Result<Arc<str>> {
        known(&mut self.texts, id, || {
            let text: String = one(db, "SELECT text FROM text WHERE id = ?1", id)?;
            Ok(text.into())
        })
    }

    /// The same, if there is one.
    pub fn text_of(&mut self, db: &Database, id: Option<i64>) -> anyhow::Result<Option<Arc<str>>> {
        id.map(|id| self.text(db, id)).transpose()
    }

    /// A word of the contract, if there is one.
    pub fn word<T: DeserializeOwned>(
        &mut self,
        db: &Database,
        id: Option<i64>,
    ) -> anyhow::Result<Option<T>> {
        let Some(text) = self.text_of(db, id)? else {
            return Ok(None);
        };
        let word = serde_json::from_value((&*text).into());
        word.map(Some)
            .with_context(|| format!("`{text}` is no word that is known"))
    }

    /// An address, and its scope if it has one.
    pub fn address(&mut self, db: &Database, id: i64) -> anyhow::Result<(IpAddr, Option<Scope>)> {
        known(&mut self.addresses, id, || {
            let mut select = db.prepare_cached("SELECT ip, scope FROM address WHERE id = ?1")?;
            let (ip, scope): (String, String) =
                select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let scope = match scope.as_str() {
                "" => None,
                word => Some(serde_json::from_value(word.into())?),
            };
            Ok((ip.parse()?, scope))
        })
    }

    /// The same, if there is one.
    pub fn address_of(
        &mut self,
        db: &Database,
        id: Option<i64>,
    ) -> anyhow::Result<Option<(IpAddr, Option<Scope>)>> {
        id.map(|id| self.address(db, id)).transpose()
    }

    /// An owner.
    pub fn owner(&mut self, db: &Database, id: i64) -> anyhow::Result<Arc<Owner>> {
        known(&mut self.owners, id, || {
            let owner: String = one(db, "SELECT owner FROM owner WHERE id = ?1", id)?;
            let owner: Owner = serde_json::from_str(&owner)?;
            Ok(Arc::new(owner))
        })
    }

    /// A program with its user and container.
    pub fn party(&mut self, db: &Database, id: i64) -> anyhow::Result<Arc<Who>> {
        known(&mut self.parties, id, || {
            let party: String = one(db, "SELECT party FROM party WHERE id = ?1", id)?;
            let party: Who = serde_json::from_str(&party)?;
            Ok(Arc::new(party))
        })
    }

    /// An ancestry.
    pub fn ancestry(&mut self, db: &Database, id: i64) -> anyhow::Result<Arc<[Ancestor]>> {
        let text = self.text(db, id)?;
        known(&mut self.ancestries, id, || {
            let ancestry: Vec<Ancestor> = serde_json::from_str(&text)?;
            Ok(ancestry.into())
        })
    }
}

/// What is remembered, or else is found.
fn known<V: Clone>(
    all: &mut HashMap<i64, V>,
    id: i64,
    find: impl FnOnce() -> anyhow::Result<V>,
) -> anyhow::Result<V> {
    if let Some(value) = all.get(&id) {
        return Ok(value.clone());
    }
    let value = find()?;
    if all.len() >= KNOWN_MAX {
        all.clear();
    }
    all.insert(id, value.clone());
    Ok(value)
}

fn one(db: &Database, select: &str, id: i64) -> rusqlite::Result<String> {
    db.prepare_cached(select)?.query_row([id], |row| row.get(0))
}
