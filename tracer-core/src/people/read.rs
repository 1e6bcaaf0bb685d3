//! Reads a table of accounts.

use std::fmt;

use ipnet::IpNet;

use super::{Profile, Profiles};
use crate::logs::Unreadable;

/// So many problems are kept.
const PROBLEMS_MAX: usize = 10;

/// A row that could not be read, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which line.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// What a column has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Account,
    Name,
    Department,
    Networks,
}

impl Column {
    /// By what tables call it.
    fn of(heading: &str) -> Option<Self> {
        Some(match heading.trim().to_lowercase().as_str() {
            "account" | "user" | "username" | "user name" | "login" | "samaccountname" | "upn"
            | "userprincipalname" => Self::Account,
            "name" | "display name" | "displayname" | "full name" | "cn" => Self::Name,
            "department" | "dept" | "ou" | "team" => Self::Department,
            "networks" | "network" | "expected networks" | "expected_networks" => Self::Networks,
            _ => return None,
        })
    }
}

/// Reads one.
pub fn read(bytes: &[u8]) -> Result<Profiles, Unreadable> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut rows = rows.byte_records();
    let headings = rows.next().and_then(Result::ok).unwrap_or_default();
    let headings: Vec<String> = headings.iter().map(text).collect();
    let columns: Vec<Option<Column>> = headings.iter().map(|one| Column::of(one)).collect();
    if !columns.contains(&Some(Column::Account)) {
        let why = "no column `account` in its first line, which names the columns";
        return Err(Unreadable(why.to_owned()));
    }
    let unused = headings.into_iter().zip(&columns);
    let mut profiles = Profiles {
        unused: unused
            .filter(|(heading, column)| column.is_none() && !heading.is_empty())
            .map(|(heading, _)| heading)
            .collect(),
        ..Profiles::default()
    };
    for row in rows {
        match row {
            Ok(row) => profiles.row(&columns, &row),
            Err(why) => {
                let line = why.position().map_or(0, csv::Position::line);
                profiles.problem(line, why.to_string());
            }
        }
    }
    Ok(profiles)
}

impl Profiles {
    fn row(&mut self, columns: &[Option<Column>], row: &csv::ByteRecord) {
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |wanted: Column| {
            let at = columns.iter().position(|column| *column == Some(wanted));
            let cell = at.and_then(|at| row.get(at)).map(text);
            cell.filter(|cell| !cell.is_empty())
        };
        let Some(account) = cell(Column::Account) else {
            return self.problem(line, "no account".to_owned());
        };
        let mut networks = Vec::new();
        for word in cell(Column::Networks)
            .unwrap_or_default()
            .split([' ', ';', '|', ','])
        {
            match network(word) {
                Some(network) => networks.push(network),
                None if word.is_empty() => {}
                None => self.problem(line, format!("no network: `{word}`")),
            }
        }
        let profile = Profile {
            name: cell(Column::Name),
            department: cell(Column::Department),
            networks,
            account: account.clone(),
        };
        if !self.add(profile) {
            self.problem(
                line,
                format!("`{account}` is there already: the first counts"),
            );
        }
    }

    fn problem(&mut self, line: u64, why: String) {
        let (count, first) = &mut self.problems;
        *count += 1;
        if first.len() < PROBLEMS_MAX {
            first.push(Problem { line, why });
        }
    }
}

/// What stands between the headings.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |wanted: u8| first.split(|byte| *byte == wanted).count();
    let all = [b',', b';', b'\t'];
    // Of equal counts the first.
    let most = all.into_iter().rev().max_by_key(|byte| count(*byte));
    most.unwrap_or(b',')
}

fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_owned()
}

/// A network, or a single address.
fn network(word: &str) -> Option<IpNet> {
    let network = word.parse().ok();
    let network = network.or_else(|| word.parse().ok().map(|ip: std::net::IpAddr| ip.into()));
    network.map(|network: IpNet| network.trunc())
}
