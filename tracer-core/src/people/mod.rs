//! Who accounts belong to: a table that the user brings, of names, departments, and the networks that each is
//! expected to speak with.

mod read;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::read::Problem;

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// The account, as the table has it.
    pub account: String,
    /// Who that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where that person works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The networks that it is expected to speak with; empty: nobody said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
}

impl Profile {
    /// Whether it is expected to speak with an address; `None`: nobody said.
    #[must_use]
    pub fn expects(&self, ip: IpAddr) -> Option<bool> {
        let ip = ip.to_canonical();
        let is_in = || self.networks.iter().any(|network| network.contains(&ip));
        (!self.networks.is_empty()).then(is_in)
    }
}

impl fmt::Display for Profile {
    /// `alice, Alice Example, Sales`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.account)?;
        let mut known = self.name.iter().chain(&self.department);
        known.try_for_each(|known| write!(f, ", {known}"))
    }
}

/// The profiles of a table.
#[derive(Debug, Default)]
pub struct Profiles {
    /// By account, in lower case.
    whole: HashMap<String, Arc<Profile>>,
    /// By account without its domain; `None`: there are several.
    bare: HashMap<String, Option<Arc<Profile>>>,
    /// What could not be read: how much, and the first of it.
    pub problems: (u64, Vec<Problem>),
    /// Columns that are not used.
    pub unused: Vec<String>,
}

impl Profiles {
    /// Reads a table: CSV with a row of headings, separated by commas, semicolons or tabs.
    ///
    /// # Errors
    /// If it has no column of accounts.
    pub fn read(bytes: &[u8]) -> Result<Self, crate::logs::Unreadable> {
        read::read(bytes)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// The profile of an account, as a host or a device writes it: `alice`, `CORP\alice`, `alice@corp.example.com`.
    /// Where one of both has no domain, that is not looked at, unless several accounts differ in nothing else.
    #[must_use]
    pub fn of(&self, account: &str) -> Option<&Arc<Profile>> {
        let account = account.to_lowercase();
        if let Some(found) = self.whole.get(&account) {
            return Some(found);
        }
        let (bare, has_domain) = without_domain(&account);
        let found = self.bare.get(bare)?.as_ref()?;
        // Of two that have a domain, not the same one, neither is the other.
        let is_other = has_domain && without_domain(&found.account.to_lowercase()).1;
        (!is_other).then_some(found)
    }

    /// Takes one; not if its account is known.
    fn add(&mut self, profile: Profile) -> bool {
        let account = profile.account.to_lowercase();
        if self.whole.contains_key(&account) {
            return false;
        }
        let profile = Arc::new(profile);
        let bare = without_domain(&account).0.to_owned();
        self.bare
            .entry(bare)
            .and_modify(|known| *known = None)
            .or_insert_with(|| Some(profile.clone()));
        self.whole.insert(account, profile);
        true
    }
}

/// The name of an account without its domain, and whether it has one. What devices call local is none.
fn without_domain(account: &str) -> (&str, bool) {
    if let Some((domain, name)) = account.rsplit_once('\\') {
        return (name, !matches!(domain, "local" | "." | ""));
    }
    match account.split_once('@') {
        Some((name, domain)) => (name, !domain.is_empty()),
        None => (account, false),
    }
}
