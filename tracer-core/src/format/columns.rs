//! The columns of the table, and how wide they are.

use self::Column::{
    Args, Arrow, Event as EventColumn, Exe, Home, Local, Login, Peer, Process, Remote, Result,
    Scope, Second, Service, Time, User,
};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Time,
    /// The time without its fraction: where there is no room for that.
    Second,
    Event,
    Process,
    User,
    Arrow,
    Local,
    Remote,
    /// The remote end, or the local one of a listener: where there is no room for both.
    Peer,
    Service,
    Home,
    Scope,
    Login,
    Exe,
    Args,
    Result,
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
    Scope,
    Service,
    Home,
    Result,
    Exe,
    Args,
];

/// Columns that get the room that is left, in this order.
const GROWING: [Column; 6] = [Process, Result, Home, Remote, Local, Peer];

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
            Login => "LOGIN",
            Exe => "EXE",
            Args => "ARGS",
            Result => "RESULT OUT/IN",
        }
    }

    /// Columns of the terminal it takes at least.
    pub fn least(self) -> usize {
        match self {
            Time => 12,
            Second | Login => 8,
            EventColumn => 11,
            Process => 17,
            User | Service => 10,
            Arrow => 2,
            Local | Remote | Peer => 21,
            Home => 18,
            Scope => 14,
            Result => 16,
            Exe => 24,
            Args => 30,
        }
    }

    /// What it needs to show everything, of those that grow.
    fn most(self) -> usize {
        match self {
            Process => 24,
            Result => 36,
            Local | Remote | Peer => 47,
            Home => 32,
            fixed => fixed.least(),
        }
    }

    /// Addresses are never cut, nor what stands at the end of the line; a process id is not either,
    /// nor is what came of it, which both leave out something else.
    pub fn is_cut(self) -> bool {
        !matches!(self, Process | Local | Remote | Peer | Result | Args)
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
}
