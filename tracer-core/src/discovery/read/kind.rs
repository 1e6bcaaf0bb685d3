//! The kinds of logs that are known.

use std::str::FromStr;

use jiff::{Timestamp, civil, tz::Offset};
use serde_json::Value;

use super::{Reader, auditd, azure, cloudtrail, device, esxi, gcp, osquery, shell, windows};

/// A kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events of Sysmon and of PowerShell.
    Windows,
    /// Records of the audit daemon.
    Auditd,
    /// Commands of shells in the system's log.
    Shell,
    /// Results of osquery.
    Osquery,
    /// Shell and host agent of `ESXi`.
    Esxi,
    /// Accounting, system log and traps of network devices.
    Device,
    /// AWS `CloudTrail`.
    CloudTrail,
    /// Azure's activity log.
    Azure,
    /// Google Cloud's audit log.
    Gcp,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Windows,
        Self::Auditd,
        Self::Shell,
        Self::Osquery,
        Self::Esxi,
        Self::Device,
        Self::CloudTrail,
        Self::Azure,
        Self::Gcp,
    ];

    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Auditd => "auditd",
            Self::Shell => "shell",
            Self::Osquery => "osquery",
            Self::Esxi => "esxi",
            Self::Device => "device",
            Self::CloudTrail => "cloudtrail",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// Reads it. `year`: of times that are written without one.
    pub(super) fn reader(self, year: i16) -> Box<dyn Reader> {
        match self {
            Self::Windows => Box::new(windows::WindowsEvents::default()),
            Self::Auditd => Box::new(auditd::Auditd::default()),
            Self::Shell => Box::new(shell::Shell { year }),
            Self::Osquery => Box::new(osquery::Osquery::default()),
            Self::Esxi => Box::new(esxi::Esxi::default()),
            Self::Device => Box::new(device::Device::before(end_of(year))),
            Self::CloudTrail => Box::new(cloudtrail::CloudTrail::default()),
            Self::Azure => Box::new(azure::Azure::default()),
            Self::Gcp => Box::new(gcp::Gcp::default()),
        }
    }

    /// The kind that a line looks like.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let is_it = |kind: &Self| match kind {
            Self::Windows => windows::recognises(line),
            Self::Auditd => auditd::recognises(line),
            Self::Osquery => osquery::recognises(line),
            Self::Esxi => esxi::recognises(line),
            Self::Device => device::recognises(line),
            Self::Shell => shell::recognises(line),
            // They are known by an event.
            Self::CloudTrail | Self::Azure | Self::Gcp => false,
        };
        Self::ALL.into_iter().find(is_it)
    }

    /// The kind that an event in JSON looks like.
    pub(super) fn of_event(event: &Value) -> Option<Self> {
        let is_it = |kind: &Self| match kind {
            Self::CloudTrail => cloudtrail::recognises(event),
            Self::Azure => azure::recognises(event),
            Self::Gcp => gcp::recognises(event),
            _ => false,
        };
        Self::ALL.into_iter().find(is_it)
    }
}

/// The last second of a year.
fn end_of(year: i16) -> Timestamp {
    let date = civil::DateTime::new(year, 12, 31, 23, 59, 59, 0).unwrap_or_default();
    Offset::UTC.to_timestamp(date).unwrap_or_default()
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("`{text}` is none of {words}")
        })
    }
}
