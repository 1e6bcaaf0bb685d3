//! Records that show no more of arguments than they may.

use std::sync::Arc;

use super::Arguments;
use crate::{
    discovery::Who,
    record::{ByOwner, Connection, Owner, Process, Record},
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

/// Leaves out of records what is not to be shown. To look for secrets takes longer than to write a record, so
/// what is shown of an owner is found out once.
#[derive(Debug)]
pub struct Redaction {
    arguments: Arguments,
    /// As they are shown.
    shown: ByOwner<Arc<Owner>>,
}

impl Redaction {
    /// By this.
    #[must_use]
    pub fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            shown: ByOwner::default(),
        }
    }

    /// Whether everything is shown.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self.arguments, Arguments::Full)
    }

    /// Leaves out of a record what is not to be shown.
    pub fn apply(&mut self, record: &mut Record) {
        let Record::Connection(connection) = record else {
            return self.arguments.apply(record);
        };
        if let Some(owner) = &mut connection.owner {
            *owner = self.owner(owner);
        }
        if let Some(process) = &mut connection.opened_by {
            self.arguments.process(process);
        }
    }

    fn owner(&mut self, owner: &Arc<Owner>) -> Arc<Owner> {
        if let Some(shown) = self.shown.get(owner) {
            return shown.clone();
        }
        let mut shown = owner.clone();
        self.arguments.owner(&mut shown);
        self.shown.note(owner, shown.clone());
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    fn record(secret: &str) -> Record {
        let line = format!(
            r#"{{"time": "2026-11-21T00:00:00Z", "event": "update", "seq": 1, "host": "a", "id": "1-0",
            "protocol": "tcp", "family": "ipv4", "netns": 7, "attribution": "io",
            "process": {{"pid": 12, "tid": 12, "name": "x", "args": ["x", "--password", "{secret}"],
                "start_time": "2026-11-21T00:00:00Z"}},
            "user": {{"uid": 0, "gid": 0}}, "cgroup": {{"id": 1}}}}"#
        );
        Record::read(&line).unwrap()
    }

    fn owner(record: &Record) -> &Arc<Owner> {
        let Record::Connection(connection) = record else {
            panic!("{record:?}");
        };
        connection.owner.as_ref().unwrap()
    }

    #[test]
    fn of_each_owner_it_is_found_out_once_what_is_shown() {
        let redactor = Redactor::new(&[], Vec::new()).unwrap();
        let mut redaction = Redaction::new(Arguments::Redacted(Box::new(redactor)));
        let told = [record("hunter2"), record("hunter3")];
        let mut shown = Vec::new();
        for one in told.iter().chain(&told) {
            let mut one = one.clone();
            redaction.apply(&mut one);
            let args = owner(&one).process.args.clone().unwrap();
            assert_eq!(args, ["x", "--password", "[redacted]"]);
            shown.push(owner(&one).clone());
        }
        assert!(Arc::ptr_eq(&shown[0], &shown[2]));
        assert!(!Arc::ptr_eq(&shown[0], &shown[1]));
        // What was told is as it was.
        assert!(
            owner(&told[0])
                .process
                .args
                .as_ref()
                .unwrap()
                .contains(&"hunter2".to_owned())
        );
    }
}
