//! Lines as they come, of files that grow and of devices that send them.

use jiff::Timestamp;
use tracer_core::{
    flows::read::{Around, Kind, Now},
    logs,
};
use tracing::info;

use super::{deal, out::Out, problems::Problems};
use crate::{
    cli::{FlowLogArgs, FlowOutArgs, Window},
    run::{Ending, NOTES},
};

/// Reads lines, and hands over what they tell.
pub struct Lines {
    /// Where it goes.
    pub out: Out,
    /// What cannot be read.
    pub problems: Problems,
    now: Now,
    senders: logs::Senders<Kind>,
}

impl Lines {
    /// What is told goes where these flags say. `name`: where all of them come from.
    pub fn new(name: &str, log: &FlowLogArgs, out: &FlowOutArgs) -> anyhow::Result<Self> {
        let now = Now::from(Timestamp::now());
        let around = Around {
            zone: log.tz.clone(),
            year: log.year,
            fields: log.fields.as_deref().map(Into::into),
            now: now.clone(),
        };
        Ok(Self {
            out: Out::new(out)?,
            problems: Problems::new(name),
            now,
            senders: logs::Senders::new(log.format, around),
        })
    }

    /// Tells only what is in a window.
    pub fn within(&mut self, window: Window) {
        self.out.judge.window = window;
    }

    /// Takes a line of a sender, or of a file.
    pub fn take(&mut self, sender: &str, line: &str) -> anyhow::Result<()> {
        self.now.set(Timestamp::now());
        let line = line.trim_matches(['\0', '\r']);
        let mut taken = logs::Taken::default();
        self.senders.line(sender, line, &mut taken);
        deal::lines(&mut taken, &mut self.problems, &mut self.out)
    }

    /// Hands over what was told, and goes on by what files say of the ends now.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.out.judge.refresh();
        Ok(self.out.flush()?)
    }

    /// Nothing more comes.
    pub fn end(mut self) -> anyhow::Result<Ending> {
        let mut taken = logs::Taken::default();
        self.senders.end(&mut taken);
        deal::lines(&mut taken, &mut self.problems, &mut self.out)?;
        self.out.end()?;
        let problems = self.problems.end();
        info!(
            target: NOTES,
            "flows: {}; not selected: {}; could not be read: {problems}; lines of no format that is known: {}",
            self.out.told,
            self.out.judge.left,
            self.senders.unrecognised,
        );
        self.out.judge.check()?;
        Ok(match problems {
            0 => Ending::Done,
            _ => Ending::Incomplete,
        })
    }
}
