//! Lines of `-o json`, and what of them is selected.

use std::io::BufRead;

use anyhow::Context as _;
use tracer_core::{
    fact::Account,
    select::{FromLines, Told},
};
use tracing::error;

use super::{Ending, Taker};
use crate::cli::{SelectionArgs, Surroundings, UsageError};

/// Takes the lines of a file that are selected. One that makes no sense is told; the others count.
pub fn read(
    taker: &mut dyn Taker,
    selection: &SelectionArgs,
    input: impl BufRead,
    name: &str,
) -> anyhow::Result<Ending> {
    let mut ending = Ending::Done;
    let mut selected = Selected::new(selection)?;
    for (at, line) in input.split(b'\n').enumerate() {
        let line = line.with_context(|| format!("cannot read {name}"))?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        let result = match selected.has(&line) {
            Ok(true) => taker.line(&line),
            other => other.map(drop),
        };
        if let Err(why) = result {
            error!("{name}, line {}: {why}; the other lines count", at + 1);
            ending = Ending::Failed;
        }
    }
    selected.end()?;
    Ok(ending)
}

/// What is selected. The names of users are those that the lines tell, so that a name may mean nobody until
/// a line has it.
struct Selected<'a> {
    args: &'a SelectionArgs,
    accounts: Vec<Account>,
    lines: FromLines,
}

impl<'a> Selected<'a> {
    fn new(args: &'a SelectionArgs) -> Result<Self, UsageError> {
        Ok(Self {
            args,
            accounts: Vec::new(),
            lines: resolved(args, &[])?,
        })
    }

    /// Whether it has a line.
    fn has(&mut self, line: &str) -> Result<bool, serde_json::Error> {
        if self.args.is_empty() {
            return Ok(true);
        }
        let Some(told) = Told::read(line)? else {
            return Ok(true);
        };
        let known = self.accounts.len();
        for account in told.accounts() {
            if !self.accounts.contains(&account) {
                self.accounts.push(account);
            }
        }
        if self.accounts.len() > known
            && let Ok(lines) = resolved(self.args, &self.accounts)
        {
            self.lines = lines;
        }
        Ok(self.lines.keeps(&told))
    }

    /// A user that no line has told of is a mistake, as in a recording.
    fn end(&self) -> Result<(), UsageError> {
        let surroundings = Surroundings {
            users: &self.accounts,
            is_live: false,
            may_have_more_users: false,
        };
        self.args.resolve(&surroundings).map(drop)
    }
}

fn resolved(args: &SelectionArgs, accounts: &[Account]) -> Result<FromLines, UsageError> {
    let selection = args.resolve(&Surroundings {
        users: accounts,
        is_live: false,
        may_have_more_users: true,
    })?;
    Ok(FromLines::new(selection))
}
