//! What is said again and again has a row of its own, once, and is referred to by its number.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use super::sweep::{self, Marks};
use rusqlite::{Connection, OptionalExtension as _, ToSql};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tracer_core::{
    hosts::Who,
    record::{ByOwner, Endpoint, Owner},
    redact::Arguments,
};

/// So many numbers of each kind are remembered. The rest is looked up.
const KNOWN_MAX: usize = 1 << 16;

/// An owner's row, and the one of what remains of it without its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerId {
    pub owner: i64,
    pub party: i64,
}

/// The numbers of what has one.
#[derive(Debug)]
pub struct Dictionary {
    /// What is kept of arguments.
    arguments: Arguments,
    texts: Known<String, i64>,
    addresses: Known<(String, &'static str), i64>,
    owners: Known<[u8; 16], OwnerId>,
    seen: ByOwner<OwnerId>,
    /// What was given a number since somebody looks for what nothing refers to.
    marks: Option<Marks>,
}

impl Dictionary {
    /// One in which nothing is known yet.
    pub fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            texts: Known::default(),
            addresses: Known::default(),
            owners: Known::default(),
            seen: ByOwner::default(),
            marks: None,
        }
    }

    /// From here on it is noted what is referred to.
    pub fn begin_marking(&mut self) {
        // What is known already would not be noted.
        self.forget();
        self.marks = Some(Marks::default());
    }

    /// What was referred to by now; to be put back.
    pub fn marks(&mut self) -> Option<Marks> {
        self.marks.take()
    }

    /// Goes on to note what is referred to.
    pub fn put_marks(&mut self, marks: Marks) {
        self.marks = Some(marks);
    }

    /// Nobody looks any more.
    pub fn end_marking(&mut self) {
        self.marks = None;
    }

    fn mark(&mut self, table: usize, id: i64) -> i64 {
        if let Some(marks) = &mut self.marks {
            marks.mark(table, id);
        }
        id
    }

    /// What is kept of arguments.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Keeps no more of arguments than this from here on.
    pub fn keep_arguments(&mut self, arguments: Arguments) {
        self.arguments = arguments;
        self.forget();
    }

    /// Some numbers may not be there any more.
    pub fn forget(&mut self) {
        self.texts.0.clear();
        self.addresses.0.clear();
        self.owners.0.clear();
        self.seen.clear();
    }

    /// The number of a word or name.
    pub fn text(&mut self, db: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.texts.0.get(text) {
            return Ok(*id);
        }
        let id = id_of(
            db,
            "SELECT id FROM text WHERE text = ?1",
            "INSERT INTO text (text) VALUES (?1)",
            &[&text],
        )?;
        self.texts.note(text.to_owned(), id);
        Ok(self.mark(sweep::TEXT, id))
    }

    /// The same, if there is one.
    pub fn text_of(
        &mut self,
        db: &Connection,
        text: Option<&str>,
    ) -> rusqlite::Result<Option<i64>> {
        text.map(|text| self.text(db, text)).transpose()
    }

    /// The number of an address with its scope.
    pub fn address(&mut self, db: &Connection, end: &Endpoint) -> rusqlite::Result<i64> {
        let key = (
            end.ip.to_string(),
            end.scope.map_or("", tracer_core::scope::Scope::word),
        );
        if let Some(id) = self.addresses.0.get(&key) {
            return Ok(*id);
        }
        let id = id_of(
            db,
            "SELECT id FROM address WHERE ip = ?1 AND scope = ?2",
            "INSERT INTO address (ip, scope) VALUES (?1, ?2)",
            &[&key.0, &key.1],
        )?;
        self.addresses.note(key, id);
        Ok(self.mark(sweep::ADDRESS, id))
    }

    /// The numbers of an owner.
    pub fn owner(&mut self, db: &Connection, owner: &Arc<Owner>) -> rusqlite::Result<OwnerId> {
        if let Some(id) = self.seen.get(owner) {
            return Ok(*id);
        }
        let id = self.look_up(db, owner)?;
        self.seen.note(owner, id);
        Ok(id)
    }

    fn look_up(&mut self, db: &Connection, owner: &Arc<Owner>) -> rusqlite::Result<OwnerId> {
        let mut shown = owner.clone();
        self.arguments.owner(&mut shown);
        // Each thread is not another owner.
        let process = &mut Arc::make_mut(&mut shown).process;
        if process.tid != process.pid {
            Arc::make_mut(process).tid = process.pid;
        }
        let json = json(&*shown);
        let digest = digest(&json);
        if let Some(id) = self.owners.0.get(&digest) {
            return Ok(*id);
        }
        let party = party(db, &Who::from(&**owner))?;
        let owner = id_of(
            db,
            "SELECT id FROM owner WHERE digest = ?1",
            "INSERT INTO owner (digest, party, pid, owner) VALUES (?1, ?2, ?3, ?4)",
            &[&digest.as_slice(), &party, &owner.process.pid, &json],
        )?;
        let id = OwnerId { owner, party };
        self.owners.note(digest, id);
        self.mark(sweep::OWNER, owner);
        self.mark(sweep::PARTY, party);
        Ok(id)
    }
}

/// The number of a program with its user, unit and container.
fn party(db: &Connection, who: &Who) -> rusqlite::Result<i64> {
    let json = json(who);
    let digest = digest(&json);
    id_of(
        db,
        "SELECT id FROM party WHERE digest = ?1",
        "INSERT INTO party (digest, party) VALUES (?1, ?2)",
        &[&digest.as_slice(), &json],
    )
}

/// As it is kept.
pub fn json(what: &impl Serialize) -> String {
    // What is written here has no keys that are not strings, which is all that could fail.
    serde_json::to_string(what).unwrap_or_default()
}

fn digest(json: &str) -> [u8; 16] {
    let mut short = [0; 16];
    let long = Sha256::digest(json.as_bytes());
    short.copy_from_slice(long.get(..16).unwrap_or(&[0; 16]));
    short
}

/// The number of a row, which is made if it is not there. Looking for it takes the first of the values.
fn id_of(
    db: &Connection,
    select: &str,
    insert: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<i64> {
    let mut find = db.prepare_cached(select)?;
    let key = values.get(..find.parameter_count()).unwrap_or(values);
    let found = find.query_row(key, |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(id),
        None => db.prepare_cached(insert)?.insert(values),
    }
}

/// Numbers that need not be looked up. When there are too many, it begins anew.
#[derive(Debug)]
struct Known<K, V>(HashMap<K, V>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, V: Copy> Known<K, V> {
    fn note(&mut self, key: K, value: V) {
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        self.0.insert(key, value);
    }
}
