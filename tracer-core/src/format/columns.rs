//! The columns of the table, and how wide they are.

use std::str::FromStr;

use self::Column::{
    Args, Arrow, Bytes, Duration, Event as EventColumn, Exe, Home, Id, Local, Login, Name, Netns,
    Outcome, Peer, Process, Protocol, Remote, Result, Scope, Second, Service, Time, User, Where,
};
use super::cut::Cut;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// When, to the millisecond.
    Time,
    /// The time without its fraction: where there is no room for that.
    Second,
    /// What happened.
    Event,
    /// Name and id.
    Process,
    /// The account of the process.
    User,
    /// Who opened it, as an arrow.
    Arrow,
    /// This end.
    Local,
    /// The other end.
    Remote,
    /// The remote end, or the local one of a listener: where there is no room for both.
    Peer,
    /// What the other end is called.
    Name,
    /// `tcp` or `udp`.
    Protocol,
    /// What the port is for.
    Service,
    /// Container or unit.
    Home,
    /// What kind of address the other end has.
    Scope,
    /// Country and autonomous system of the other end.
    Where,
    /// The account that logged in.
    Login,
    /// Path of the executable.
    Exe,
    /// Arguments of the process.
    Args,
    /// Outcome, bytes and time together.
    Result,
    /// How it ended.
    Outcome,
    /// Sent and received.
    Bytes,
    /// How long it took.
    Duration,
    /// Inode number of the network namespace.
    Netns,
    /// What names the connection.
    Id,
}

/// All of them, by what the user calls them.
const NAMES: [(&str, Column); 24] = [
    ("time", Time),
    ("second", Second),
    ("event", EventColumn),
    ("process", Process),
    ("user", User),
    ("login", Login),
    ("local", Local),
    ("direction", Arrow),
    ("remote", Remote),
    ("address", Peer),
    ("name", Name),
    ("scope", Scope),
    ("where", Where),
    ("protocol", Protocol),
    ("service", Service),
    ("unit", Home),
    ("result", Result),
    ("outcome", Outcome),
    ("bytes", Bytes),
    ("duration", Duration),
    ("netns", Netns),
    ("id", Id),
    ("exe", Exe),
    ("args", Args),
];

/// Which columns are shown, of those that would be or in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// In place of all; empty: those that fit.
    only: Vec<Column>,
    added: Vec<Column>,
    removed: Vec<Column>,
}

impl Choice {
    /// What users call the columns.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().map(|(name, _)| name)
    }

    /// What is shown where these fit.
    pub(super) fn of(&self, fitting: &[Column]) -> Vec<Column> {
        let base = if self.only.is_empty() {
            fitting
        } else {
            &self.only
        };
        let is_kept = |column: &&Column| !self.removed.contains(column);
        let mut chosen: Vec<Column> = base.iter().filter(is_kept).copied().collect();
        let new: Vec<Column> = self
            .added
            .iter()
            .copied()
            .filter(|one| !base.contains(one))
            .collect();
        // What came of it has whatever room is left, at the end of the line.
        let at = match chosen.last() {
            Some(Result) => chosen.len() - 1,
            _ => chosen.len(),
        };
        chosen.splice(at..at, new);
        chosen
    }
}

impl FromStr for Choice {
    type Err = String;

    /// `time,process,remote`, or `+exe,-user`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut choice = Self::default();
        for word in text.split(',').map(str::trim) {
            let (list, name) = if let Some(name) = word.strip_prefix('+') {
                (&mut choice.added, name)
            } else if let Some(name) = word.strip_prefix('-') {
                (&mut choice.removed, name)
            } else {
                (&mut choice.only, word)
            };
            let column = NAMES.iter().find(|(known, _)| *known == name);
            let (_, column) = column.ok_or_else(|| {
                let known: Vec<&str> = Self::names().collect();
                format!("`{name}` is none of {}", known.join(", "))
            })?;
            if !list.contains(column) {
                list.push(*column);
            }
        }
        Ok(choice)
    }
}

/// What a terminal of 80 columns has room for.
pub const NARROW: &[Column] = &[Second, EventColumn, Process, Arrow, Peer, Result];
/// With both ends and the user.
pub const MEDIUM: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Local,
    Arrow,
    Remote,
    Result,
];
/// With what is known of the port and of where the process lives.
pub const FULL: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Local,
    Arrow,
    Remote,
    Service,
    Home,
    Result,
];
/// With what the other host is called.
pub const LARGE: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Local,
    Arrow,
    Remote,
    Name,
    Service,
    Home,
    Result,
];
/// Everything.
pub const WIDE: &[Column] = &[
    Time,
    EventColumn,
    Process,
    User,
    Login,
    Local,
    Arrow,
    Remote,
    Name,
    Scope,
    Where,
    Service,
    Home,
    Result,
    Exe,
    Args,
];

/// Columns that get the room that is left, in this order.
const GROWING: [Column; 9] = [
    Process, Outcome, Result, Name, Home, User, Remote, Local, Peer,
];

impl Column {
    /// What stands above it.
    pub fn title(self) -> &'static str {
        match self {
            Time | Second => "TIME",
            EventColumn => "EVENT",
            Process => "PROCESS(PID)",
            User => "USER",
            Arrow => "",
            Local => "LOCAL",
            Remote => "REMOTE",
            Peer => "ADDRESS",
            Service => "SERVICE",
            Home => "UNIT/CONTAINER",
            Scope => "SCOPE",
            Where => "WHERE",
            Login => "LOGIN",
            Exe => "EXE",
            Args => "ARGS",
            Name => "NAME",
            Protocol => "PROTO",
            Result => "RESULT OUT/IN",
            Outcome => "OUTCOME",
            Bytes => "BYTES OUT/IN",
            Duration => "DURATION",
            Netns => "NETNS",
            Id => "ID",
        }
    }

    /// Columns of the terminal it takes at least.
    pub fn least(self) -> usize {
        match self {
            Time | User => 12,
            Second | Login | Duration => 8,
            EventColumn => 11,
            Process => 17,
            Service | Netns => 10,
            Arrow => 2,
            Protocol => 5,
            Name | Where => 20,
            Local | Remote | Peer => 21,
            Home => 18,
            Scope => 14,
            Result | Id => 16,
            Bytes => 15,
            Outcome => 9,
            Exe => 24,
            Args => 30,
        }
    }

    /// What it needs to show everything, of those that grow.
    fn most(self) -> usize {
        match self {
            Process | Outcome => 24,
            Result => 36,
            Local | Remote | Peer => 47,
            Home => 32,
            Name => 40,
            User => 20,
            fixed => fixed.least(),
        }
    }

    /// How it is cut where there is no room for it. The address of the other end never is; nor is a process
    /// id, nor what came of it, which both leave out something else. Of this end the port stays.
    pub fn cut(self) -> Option<Cut> {
        match self {
            Process | Remote | Peer | Result | Id | Netns => None,
            Local | Name | Exe => Some(Cut::Beginning),
            _ => Some(Cut::End),
        }
    }
}

/// Columns of the terminal that these take.
pub fn total(columns: &[Column]) -> usize {
    let blanks = columns.len().saturating_sub(1);
    columns.iter().map(|column| column.least()).sum::<usize>() + blanks
}

/// The columns with their widths, which make use of the whole width.
pub fn spread(columns: &[Column], width: usize) -> Vec<(Column, usize)> {
    let mut left = width.saturating_sub(total(columns));
    let mut widths: Vec<_> = columns.iter().map(|one| (*one, one.least())).collect();
    for growing in GROWING {
        for (column, width) in &mut widths {
            if *column == growing {
                let more = left.min(column.most() - column.least());
                *width += more;
                left -= more;
            }
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_is_left_goes_to_what_matters_most() {
        let width = |of: Column, width| {
            let widths = spread(FULL, width);
            widths.iter().find(|(column, _)| *column == of).unwrap().1
        };
        let least = total(FULL);
        assert_eq!(width(Process, least), Process.least());
        assert_eq!(width(Process, least + 3), Process.least() + 3);
        assert_eq!(width(Result, least + 8), Result.least() + 1);
        assert_eq!(width(Home, 400), Home.most());
    }

    fn chosen(text: &str, fitting: &[Column]) -> Vec<Column> {
        text.parse::<Choice>().unwrap().of(fitting)
    }

    #[test]
    fn columns_are_chosen_added_and_removed() {
        assert_eq!(Choice::default().of(NARROW), NARROW);
        assert_eq!(chosen("process,time,process", NARROW), [Process, Time]);
        let changed = [Second, EventColumn, Arrow, Peer, Exe, Result];
        assert_eq!(chosen("+exe,-process,+event", NARROW), changed);
        assert_eq!(chosen("time,remote,+exe", NARROW), [Time, Remote, Exe]);
        let error = "time,colour".parse::<Choice>().unwrap_err();
        assert!(
            error.starts_with("`colour` is none of time, second, event, "),
            "{error}"
        );
    }
}
