//! Where a line has what: in columns, or by keys.

use std::{net::IpAddr, str::FromStr};

use csv::StringRecord;

use super::{super::table, Head, keys::Keys};
use crate::logs::Unreadable;

/// What the documentation calls the columns that are the same from PAN-OS 6.1 to 11. Versions append
/// others, and one of those (Link Switches) has commas that are not in quotes: nothing behind it has a
/// place.
const NAMES: [&str; 47] = [
    "FUTURE_USE",
    "Receive Time",
    "Serial Number",
    "Type",
    "Threat/Content Type",
    "FUTURE_USE",
    "Generated Time",
    "Source Address",
    "Destination Address",
    "NAT Source IP",
    "NAT Destination IP",
    "Rule Name",
    "Source User",
    "Destination User",
    "Application",
    "Virtual System",
    "Source Zone",
    "Destination Zone",
    "Inbound Interface",
    "Outbound Interface",
    "Log Action",
    "FUTURE_USE",
    "Session ID",
    "Repeat Count",
    "Source Port",
    "Destination Port",
    "NAT Source Port",
    "NAT Destination Port",
    "Flags",
    "Protocol",
    "Action",
    "Bytes",
    "Bytes Sent",
    "Bytes Received",
    "Packets",
    "Start Time",
    "Elapsed Time",
    "Category",
    "FUTURE_USE",
    "Sequence Number",
    "Action Flags",
    "Source Country",
    "Destination Country",
    "FUTURE_USE",
    "Packets Sent",
    "Packets Received",
    "Session End Reason",
];
/// How many columns are cut off before the rest: those to the type.
const CUT: usize = 4;
/// So many columns a line has from PAN-OS 7.1 on, with the name of the device in one.
const WITH_DEVICE: usize = 54;
/// That one.
const DEVICE: usize = 52;

/// A value, and where lines have it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The column.
    at: usize,
    /// The key in CEF.
    pub cef: &'static str,
    /// The keys in LEEF, the most telling first.
    pub leef: &'static [&'static str],
}

impl Column {
    const fn new(at: usize, cef: &'static str, leef: &'static [&'static str]) -> Self {
        Self { at, cef, leef }
    }
}

pub const GENERATED: Column = Column::new(6, "start", &["TimeGenerated"]);
pub const SOURCE: Column = Column::new(7, "src", &["src"]);
pub const DESTINATION: Column = Column::new(8, "dst", &["dst"]);
pub const NAT_SOURCE: Column = Column::new(9, "sourceTranslatedAddress", &["srcPostNAT"]);
pub const NAT_DESTINATION: Column =
    Column::new(10, "destinationTranslatedAddress", &["dstPostNAT"]);
pub const RULE: Column = Column::new(11, "cs1", &["RuleName"]);
pub const SOURCE_USER: Column = Column::new(12, "suser", &["SourceUser", "usrName"]);
pub const DESTINATION_USER: Column = Column::new(13, "duser", &["DestinationUser"]);
pub const APPLICATION: Column = Column::new(14, "app", &["Application"]);
pub const SOURCE_ZONE: Column = Column::new(16, "cs4", &["SourceZone"]);
pub const DESTINATION_ZONE: Column = Column::new(17, "cs5", &["DestinationZone"]);
pub const INBOUND: Column = Column::new(18, "deviceInboundInterface", &["IngressInterface"]);
pub const OUTBOUND: Column = Column::new(19, "deviceOutboundInterface", &["EgressInterface"]);
pub const SESSION: Column = Column::new(22, "cn1", &["SessionID"]);
pub const SOURCE_PORT: Column = Column::new(24, "spt", &["srcPort"]);
pub const DESTINATION_PORT: Column = Column::new(25, "dpt", &["dstPort"]);
pub const NAT_SOURCE_PORT: Column = Column::new(26, "sourceTranslatedPort", &["srcPostNATPort"]);
pub const NAT_DESTINATION_PORT: Column =
    Column::new(27, "destinationTranslatedPort", &["dstPostNATPort"]);
pub const PROTOCOL: Column = Column::new(29, "proto", &["proto"]);
pub const ACTION: Column = Column::new(30, "act", &["action"]);
pub const BYTES: Column = Column::new(31, "flexNumber1", &["totalBytes"]);
/// CEF has `in` for what moves from the source to the destination, and so has the vendor's format.
pub const BYTES_SENT: Column = Column::new(32, "in", &["srcBytes"]);
pub const BYTES_RECEIVED: Column = Column::new(33, "out", &["dstBytes"]);
pub const PACKETS: Column = Column::new(34, "cn2", &["totalPackets"]);
/// CEF has `start` for when it was told.
pub const STARTED: Column = Column::new(35, "", &["StartTime"]);
pub const ELAPSED: Column = Column::new(36, "cn3", &["ElapsedTime"]);
pub const PACKETS_SENT: Column = Column::new(44, "PanOSPacketsSent", &["srcPackets"]);
pub const PACKETS_RECEIVED: Column = Column::new(45, "PanOSPacketsReceived", &["dstPackets"]);
pub const REASON: Column = Column::new(46, "reason", &["SessionEndReason"]);

/// What a line says.
#[derive(Debug)]
pub enum Line<'a> {
    /// In columns.
    Columns(Columns<'a>),
    /// By keys.
    Keys(Keys<'a>),
}

impl Line<'_> {
    /// The text of a column, where it says something.
    pub fn get(&self, column: Column) -> Option<&str> {
        let text = match self {
            Self::Columns(columns) => columns.at(column.at),
            Self::Keys(keys) => keys.get(column),
        };
        said(text?)
    }

    /// The text of a column, to keep.
    pub fn text(&self, column: Column) -> Option<String> {
        self.get(column).map(str::to_owned)
    }

    /// What a column is read as, where it says something.
    pub fn read<T: FromStr>(&self, column: Column, what: &str) -> Result<Option<T>, Unreadable> {
        let read = |text: &str| {
            text.parse()
                .map_err(|_| self.wrong(column, &format!("not {what}: `{text}`")))
        };
        self.get(column).map(read).transpose()
    }

    /// A number.
    pub fn number<T: FromStr>(&self, column: Column) -> Result<Option<T>, Unreadable> {
        self.read(column, "a number that it may be")
    }

    /// An address, which there must be.
    pub fn address(&self, column: Column) -> Result<IpAddr, Unreadable> {
        let ip = self.read(column, "an address")?;
        ip.ok_or_else(|| self.wrong(column, "nothing there"))
    }

    /// What is wrong with a column.
    pub fn wrong(&self, column: Column, why: &str) -> Unreadable {
        match self {
            Self::Columns(_) => {
                let name = NAMES.get(column.at).unwrap_or(&"");
                Unreadable(format!("column {} ({name}): {why}", column.at))
            }
            Self::Keys(keys) => Unreadable(format!("`{}`: {why}", keys.name(column))),
        }
    }

    /// What is told of the session: `start`, `end`, `drop` or `deny`.
    pub fn subtype(&self) -> &str {
        match self {
            Self::Columns(columns) => columns.at(CUT).unwrap_or_default(),
            Self::Keys(keys) => keys.subtype(),
        }
    }

    /// The device: its name or, where that is not told, its serial number.
    pub fn device(&self) -> Option<&str> {
        let (name, serial) = match self {
            Self::Columns(columns) => (columns.device(), Some(columns.serial)),
            Self::Keys(keys) => keys.device(),
        };
        name.and_then(said).or_else(|| serial.and_then(said))
    }
}

/// A line in columns.
#[derive(Debug)]
pub struct Columns<'a> {
    /// When the device's log had it.
    pub receive: &'a str,
    serial: &'a str,
    /// Those behind the type.
    rest: StringRecord,
}

impl<'a> Columns<'a> {
    /// # Errors
    /// If there are too few, as in a line that was cut off.
    pub(super) fn new(head: &Head<'a>) -> Result<Self, Unreadable> {
        let rest = table::row(head.rest)?;
        if let Some(name) = NAMES.get(CUT + rest.len()) {
            let missing = CUT + rest.len();
            let why = format!("it ends before column {missing} ({name})");
            return Err(Unreadable(why));
        }
        Ok(Self {
            receive: head.receive,
            serial: head.serial,
            rest,
        })
    }

    fn at(&self, column: usize) -> Option<&str> {
        self.rest.get(column.checked_sub(CUT)?)
    }

    fn device(&self) -> Option<&str> {
        let has_device = self.rest.len() >= WITH_DEVICE - CUT;
        has_device.then(|| self.at(DEVICE)).flatten()
    }

    /// What no version before has, in whatever place: commas that are not in quotes move them.
    pub fn appended(&self) -> impl Iterator<Item = &str> {
        self.rest.iter().skip(WITH_DEVICE - CUT)
    }
}

fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
