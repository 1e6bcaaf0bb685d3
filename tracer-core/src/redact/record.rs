//! Records that show no more of arguments than they may.

use std::sync::Arc;

use super::Arguments;
use crate::{
    discovery::Who,
    record::{Connection, Owner, Process, Record},
};

impl Arguments {
    /// Leaves out of a record what is not to be shown.
    pub fn apply(&self, record: &mut Record) {
        if matches!(self, Self::Full) {
            return;
        }
        match record {
            Record::Start(start) => start.args = Some(self.word().into()),
            Record::Connection(connection) => self.connection(connection),
            Record::Socket(socket) => self.owner(&mut socket.owner),
            Record::Discovery(finding) => {
                if let Who::Seen { owner, .. } = &mut finding.who {
                    self.owner(owner);
                }
            }
            Record::Loss(_) | Record::Stop(_) => {}
        }
    }

    fn connection(&self, connection: &mut Connection) {
        if let Some(owner) = &mut connection.owner {
            self.owner(owner);
        }
        if let Some(process) = &mut connection.opened_by {
            self.process(process);
        }
    }

    /// Leaves out of what names an owner what is not to be shown.
    pub fn owner(&self, owner: &mut Arc<Owner>) {
        if matches!(self, Self::Full) {
            return;
        }
        self.process(&mut Arc::make_mut(owner).process);
    }

    /// Leaves out of what is known of a process what is not to be shown.
    pub fn process(&self, process: &mut Arc<Process>) {
        if matches!(self, Self::Full) {
            return;
        }
        let process = Arc::make_mut(process);
        self.args(&mut process.args);
        if let Some(parent) = &mut process.parent {
            self.args(&mut parent.args);
        }
    }

    fn args(&self, args: &mut Option<Vec<String>>) {
        *args = args.as_deref().and_then(|args| self.of(args));
    }
}
