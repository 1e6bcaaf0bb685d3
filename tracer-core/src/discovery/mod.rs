//! Discovery of network connections (ATT&CK T1049) by the detection strategy DET0320, in the logs of the
//! platforms that it has an analytic for.
//!
//! The way of a line: [`read`] makes [`Act`]s of it, [`judge`] holds them against the mutable
//! [`elements`] of their analytic, and what remains is a [`Finding`].

pub mod act;
pub mod elements;
pub mod finding;
pub mod judge;
pub mod read;

use serde::{Deserialize, Serialize};

pub use self::{
    act::{Act, Actor, Beside, Parent, Sights, What},
    elements::Elements,
    finding::{Finding, Severity, Who},
    judge::{Judge, Judgement, Live, Opinion, Passed},
};
use crate::logs::Origin;

/// The technique.
pub const TECHNIQUE: &str = "T1049";

/// The analytics of DET0320.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Analytic {
    /// Windows.
    #[serde(rename = "AN0903")]
    Windows,
    /// Linux.
    #[serde(rename = "AN0904")]
    Linux,
    /// macOS.
    #[serde(rename = "AN0905")]
    Macos,
    /// `ESXi`.
    #[serde(rename = "AN0906")]
    Esxi,
    /// Network devices.
    #[serde(rename = "AN0907")]
    NetworkDevice,
    /// Infrastructure of clouds.
    #[serde(rename = "AN0908")]
    Iaas,
}

impl Analytic {
    /// Its number.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Windows => "AN0903",
            Self::Linux => "AN0904",
            Self::Macos => "AN0905",
            Self::Esxi => "AN0906",
            Self::NetworkDevice => "AN0907",
            Self::Iaas => "AN0908",
        }
    }

    /// What ATT&CK calls its platform, in the form of the contract.
    #[must_use]
    pub fn platform(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Esxi => "esxi",
            Self::NetworkDevice => "network_device",
            Self::Iaas => "iaas",
        }
    }
}
