//! The commands.

pub mod agent;
pub mod discovery;
pub mod doctor;
mod enrich;
pub mod export;
pub mod files;
pub mod flows;
pub mod generate;
pub mod history;
pub mod hosts;
mod input;
pub mod live;
pub mod replay;
pub mod report;
pub mod self_test;
pub mod session;
pub mod snapshot;
mod told;
pub mod top;
pub mod trace;

use std::process::ExitCode;

use tracer_core::pipeline::Pipeline;

/// What is said unless nothing is to be said.
pub const NOTES: &str = "conntracer_notes";

/// Loss, which is told however quiet it is.
pub const LOSS: &str = "conntracer_loss";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Done.
    Done,
    /// Done, but records were lost.
    Incomplete,
    /// Done, and a cross-check found sockets that are hidden.
    Hidden,
    /// It failed, and has said why.
    Failed,
}

impl Ending {
    /// How a run ends whose records are all written. That something is hidden matters more than that
    /// records were lost, which they say themselves.
    pub fn of(pipeline: &Pipeline) -> Self {
        if pipeline.has_hidden() {
            Self::Hidden
        } else if pipeline.totals().is_complete() {
            Self::Done
        } else {
            Self::Incomplete
        }
    }

    /// How both of two things ended: as the one of which less is known.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Incomplete, _) | (_, Self::Incomplete) => Self::Incomplete,
            (Self::Hidden, _) | (_, Self::Hidden) => Self::Hidden,
            (Self::Done, Self::Done) => Self::Done,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Incomplete => 3,
            Ending::Hidden => 4,
        })
    }
}
