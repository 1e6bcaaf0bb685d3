//! The commands.

pub mod doctor;
pub mod replay;
pub mod session;
pub mod trace;

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Done.
    Done,
    /// Done, but records were lost.
    Incomplete,
    /// It failed, and has said why.
    Failed,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Incomplete => 3,
        })
    }
}
