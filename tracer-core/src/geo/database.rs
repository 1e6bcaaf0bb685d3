//! One database.

use std::{fmt, net::IpAddr};

use maxminddb::Reader;

use super::{Place, layout::Entry};
use crate::logs::Unreadable;

/// A database, of whatever vendor.
pub struct Database {
    reader: Reader<Vec<u8>>,
}

impl Database {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none, or was cut off.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Unreadable> {
        let reader = Reader::from_source(bytes)
            .map_err(|why| Unreadable(format!("no MMDB database: {why}")))?;
        Ok(Self { reader })
    }

    /// What it calls itself, e.g. `GeoLite2-City`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// When it was made, seconds since 1970.
    #[must_use]
    pub fn built(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    /// What it says of an address. Of one of IPv6 a database of IPv4 says nothing, nor does one of what is
    /// broken in it.
    pub(super) fn place(&self, ip: IpAddr) -> Place {
        let found = self.reader.lookup(ip).ok();
        let entry = found.and_then(|found| found.decode::<Entry<'_>>().ok().flatten());
        entry.map(Place::from).unwrap_or_default()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.kind()).finish()
    }
}
