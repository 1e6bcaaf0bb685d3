//! How processes were called: their arguments, without secrets.

use std::{collections::HashMap, sync::Arc};

use crate::{hosts::Observation, redact::Arguments, text::printable};

/// Processes that are remembered at most.
const PROCESSES_MAX: usize = 1 << 16;

/// Characters of a command line that are shown at most.
const LENGTH_MAX: usize = 512;

/// A process under one of its names, on a host.
type Process = (Arc<str>, u32, String);

/// The command lines of processes.
#[derive(Debug)]
pub struct Commands {
    arguments: Arguments,
    known: HashMap<Process, String>,
}

impl Commands {
    /// None yet; this is shown of them.
    pub fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            known: HashMap::new(),
        }
    }

    /// What is shown of arguments.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Learns that of the owner of a connection.
    pub fn see(&mut self, seen: &Observation) {
        let (Some(args), Some(who)) = (&seen.args, seen.people.first()) else {
            return;
        };
        let process = (seen.host.clone(), who.pid, who.name.clone());
        if self.known.contains_key(&process) || self.known.len() >= PROCESSES_MAX {
            return;
        }
        if let Some(args) = self.arguments.of(args) {
            self.known.insert(process, line(&args));
        }
    }

    /// That of a process, if it is known and shown.
    pub fn of(&self, host: &Arc<str>, pid: u32, name: &str) -> Option<&str> {
        let process = (host.clone(), pid, name.to_owned());
        self.known.get(&process).map(String::as_str)
    }
}

/// Arguments in a line that cannot pose as something else.
pub fn line(args: &[String]) -> String {
    let line = printable(&args.join(" "));
    match line.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => line.get(..end).unwrap_or_default().to_owned() + "…",
        None => line,
    }
}
