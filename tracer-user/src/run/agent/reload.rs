//! The configuration, read again while it runs.

use std::path::PathBuf;

use tracer_core::fact::Fact;
use tracing::{info, warn};

use super::service;
use crate::{
    cli::{ConfigArgs, KeepArgs, NetworkArgs},
    run::{
        NOTES,
        session::{Change, Reload},
    },
    store::Handle,
};

/// Reads it again. Flags win over it as they did when it was read first.
pub struct Reloader {
    pub config: ConfigArgs,
    pub kept: KeepArgs,
    pub networks: NetworkArgs,
    /// Where the history is, which stays so.
    pub path: PathBuf,
    pub writer: Handle,
}

impl Reload for Reloader {
    fn read(&mut self) -> anyhow::Result<Change> {
        service::reloading();
        let config = self.config.load()?;
        let settings = self.kept.settings(&config)?;
        if self.kept.place.path(&config) != self.path {
            warn!(
                target: NOTES,
                "the history stays {} until this agent is started anew",
                self.path.display()
            );
        }
        self.writer.change(settings);
        info!(target: NOTES, "the configuration has been read again");
        Ok(Change {
            facts: vec![
                Fact::Networks(config.networks(&self.networks)),
                Fact::Names(config.names()),
            ],
            elements: config.discovery(),
        })
    }

    fn done(&mut self) {
        service::ready();
    }
}
