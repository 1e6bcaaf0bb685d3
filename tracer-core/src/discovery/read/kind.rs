//! The kinds of logs that are known.

use jiff::{Timestamp, civil, tz::Offset};
use serde_json::Value;

use super::{auditd, azure, cloudtrail, device, esxi, gcp, osquery, shell, windows};
use crate::{
    discovery::Act,
    logs::{self, Reader},
};

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
    const ALL: [Self; 9] = [
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
}

impl logs::Kind for Kind {
    type Item = Act;
    /// The year of times that are written without one.
    type Around = i16;

    fn reader(self, year: &i16) -> Box<dyn Reader<Act>> {
        let year = *year;
        match self {
            Self::Windows => Box::new(windows::WindowsEvents::default()),
            Self::Auditd => Box::new(auditd::Auditd::default()),
            Self::Shell => Box::new(shell::Shell { year }),
            Self::Osquery => Box::new(osquery::Osquery::default()),
            Self::Esxi => Box::new(esxi::Esxi::default()),
            Self::Device => Box::new(device::Device::before(end_of(year))),
            Self::CloudTrail => Box::new(cloudtrail::reader()),
            Self::Azure => Box::new(azure::reader()),
            Self::Gcp => Box::new(gcp::reader()),
        }
    }

    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn word(self) -> &'static str {
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

    fn recognises(self, line: &str) -> bool {
        match self {
            Self::Windows => windows::recognises(line),
            Self::Auditd => auditd::recognises(line),
            Self::Osquery => osquery::recognises(line),
            Self::Esxi => esxi::recognises(line),
            Self::Device => device::recognises(line),
            Self::Shell => shell::recognises(line),
            // They are known by an event.
            Self::CloudTrail | Self::Azure | Self::Gcp => false,
        }
    }

    fn recognises_event(self, event: &Value) -> bool {
        match self {
            Self::CloudTrail => cloudtrail::recognises(event),
            Self::Azure => azure::recognises(event),
            Self::Gcp => gcp::recognises(event),
            _ => false,
        }
    }
}

/// The last second of a year.
fn end_of(year: i16) -> Timestamp {
    let date = civil::DateTime::new(year, 12, 31, 23, 59, 59, 0).unwrap_or_default();
    Offset::UTC.to_timestamp(date).unwrap_or_default()
}
