//! The columns of connections: what they say, how wide they are, and how they sort.

use std::{cmp::Ordering, net::IpAddr};

use self::Column::{
    Address, Age, Arrow, Home, Local, Name, Process, Received, Sent, Service, State, Threat, User,
    Where,
};
use super::seen::Seen;
use crate::{
    format::{cut::Cut, quantity::size, table},
    record::Endpoint,
    text::printable,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Process,
    User,
    Local,
    Arrow,
    /// The remote end, or the local one of a listener.
    Address,
    Name,
    Service,
    Home,
    State,
    Sent,
    Received,
    Age,
    /// Country and autonomous system of the other host.
    Where,
    /// The indicators that it meets.
    Threat,
}

/// What is known of other hosts beside their addresses: no room is taken for what is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Some meet indicators.
    pub threats: bool,
    /// It is known where some are.
    pub places: bool,
}

/// All of them, in the order in which they are shown.
const SHOWN: [Column; 14] = [
    Process, User, Local, Arrow, Address, Name, Where, Threat, Service, Home, State, Sent,
    Received, Age,
];

/// What matters most first: what there is room for is shown.
const WANTED: [Column; 14] = [
    Address, Process, Arrow, Threat, Age, State, Received, Sent, User, Name, Where, Local, Service,
    Home,
];

/// Columns that get the room that is left, in this order.
const GROWING: [Column; 7] = [Process, Threat, Name, Address, Where, Home, Local];

impl Column {
    /// What stands above it.
    pub fn title(self) -> &'static str {
        match self {
            Process => "PROCESS(PID)",
            User => "USER",
            Local => "LOCAL",
            Arrow => "",
            Address => "ADDRESS",
            Name => "NAME",
            Service => "SERVICE",
            Home => "UNIT/CONTAINER",
            State => "STATE",
            Sent => "SENT",
            Received => "RECVD",
            Age => "AGE",
            Where => "WHERE",
            Threat => "THREAT",
        }
    }

    /// Columns of the terminal it takes at least.
    fn least(self) -> usize {
        match self {
            Process => 17,
            User | Service => 10,
            Local | Address => 21,
            Arrow => 2,
            Name | Where | Threat => 20,
            Home => 18,
            State => 11,
            Sent | Received | Age => 7,
        }
    }

    /// What it needs to show everything, of those that grow.
    fn most(self) -> usize {
        match self {
            Process => 24,
            Local | Address => 47,
            Name | Threat => 40,
            Home | Where => 32,
            fixed => fixed.least(),
        }
    }

    /// Numbers are read from the right.
    pub fn is_number(self) -> bool {
        matches!(self, Sent | Received | Age)
    }

    /// What it says of a connection where there is so much room.
    pub fn cell(self, seen: &Seen, now_ns: u64, room: usize) -> String {
        let newest = &seen.newest;
        let owner = newest.owner.as_deref();
        let text = match self {
            Process => table::holder(newest, Some(room)),
            User => printable(&owner.map(table::user).unwrap_or_default()),
            Local => table::endpoint(newest.local.as_ref()),
            Arrow => table::arrow(newest.direction).to_owned(),
            Address => table::endpoint(address(seen)),
            Name => printable(
                newest
                    .remote
                    .as_ref()
                    .and_then(table::told_name)
                    .unwrap_or_default(),
            ),
            Service => printable(newest.service.as_deref().unwrap_or_default()),
            Home => table::home(owner, false),
            State => seen.state().to_owned(),
            Sent => newest
                .bytes
                .map_or_else(String::new, |bytes| size(bytes.sent)),
            Received => newest
                .bytes
                .map_or_else(String::new, |bytes| size(bytes.received)),
            Age => age_of(seen, now_ns),
            Where => seen.place(),
            Threat => seen.threat(),
        };
        let cut = match self {
            // What tells addresses of one network apart is at their end.
            Local | Address | Name => Cut::Beginning,
            _ => Cut::End,
        };
        cut.apply(&text, room)
    }

    /// The order of two connections: what matters more first, as most want to see it.
    pub fn compare(self, one: &Seen, other: &Seen) -> Ordering {
        let (a, b) = (&one.newest, &other.newest);
        let in_column = match self {
            Process => one.process().cmp(other.process()),
            User => uid(one).cmp(&uid(other)),
            Local => place(a.local.as_ref()).cmp(&place(b.local.as_ref())),
            Arrow => Ordering::Equal,
            Address => place(address(one)).cmp(&place(address(other))),
            Name => name(one).cmp(&name(other)),
            Service => a.service.cmp(&b.service),
            Home => home(one).cmp(&home(other)),
            State => one.state().cmp(other.state()),
            Sent => b
                .bytes
                .map(|bytes| bytes.sent)
                .cmp(&a.bytes.map(|bytes| bytes.sent)),
            Received => {
                let received = |seen: &Seen| seen.newest.bytes.map(|bytes| bytes.received);
                received(other).cmp(&received(one))
            }
            Age => other.id().cmp(&one.id()),
            Where => known_first(one.place()).cmp(&known_first(other.place())),
            // Those that meet some first.
            Threat => other.is_threat().cmp(&one.is_threat()),
        };
        in_column.then_with(|| other.id().cmp(&one.id()))
    }
}

fn address(seen: &Seen) -> Option<&Endpoint> {
    let newest = &seen.newest;
    newest.remote.as_ref().or(newest.local.as_ref())
}

fn place(end: Option<&Endpoint>) -> Option<(IpAddr, Option<u16>)> {
    end.map(|end| (end.ip, end.port))
}

fn uid(seen: &Seen) -> Option<u32> {
    let owner = seen.newest.owner.as_ref();
    owner.map(|owner| owner.user.uid)
}

/// Those of which it is known come before those of which it is not.
fn known_first(text: String) -> (bool, String) {
    (text.is_empty(), text)
}

/// Those that have a name come before those that have none.
fn name(seen: &Seen) -> (bool, Option<&str>) {
    let name = seen.newest.remote.as_ref().and_then(table::told_name);
    (name.is_none(), name)
}

/// By what it is called, as that is shown.
fn home(seen: &Seen) -> Option<impl Ord> {
    let owner = seen.newest.owner.as_ref()?;
    let pod = owner.pod.as_ref();
    let in_pod = pod.map(|pod| [&pod.namespace, &pod.name, &pod.container]);
    let container = owner.container.as_ref();
    let called = container.map(|one| (in_pod, &one.name, &one.id));
    Some((called, owner.unit.as_deref()))
}

/// How old it is; of what is older than the tracing, that it is more than what was seen.
pub fn age_of(seen: &Seen, now_ns: u64) -> String {
    let age = age(seen.age_ns(now_ns));
    if seen.newest.open_before {
        format!(">{age}")
    } else {
        age
    }
}

/// A time in six columns of a terminal at most.
fn age(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// The columns that there is room for, and how wide they are.
pub fn columns(known: Known, width: usize) -> Vec<(Column, usize)> {
    let shown = SHOWN.map(|column| (column, column.least()));
    let growing = GROWING.map(|column| (column, column.most() - column.least()));
    let is_known = |column: &Column| match column {
        Threat => known.threats,
        Where => known.places,
        _ => true,
    };
    let wanted: Vec<Column> = WANTED.into_iter().filter(is_known).collect();
    fit(&shown, &wanted, &growing, width)
}

/// Of columns that need so much each those that fit into a width, by how much they are wanted. What is left
/// is given to those that grow, so much to each.
pub fn fit<C: Copy + PartialEq>(
    shown: &[(C, usize)],
    wanted: &[C],
    growing: &[(C, usize)],
    width: usize,
) -> Vec<(C, usize)> {
    let mut left = width;
    let mut fitting = Vec::new();
    let least = |wanted: C| shown.iter().find(|(column, _)| *column == wanted);
    for (column, least) in wanted.iter().filter_map(|wanted| least(*wanted)) {
        // A blank stands between columns, but not before the first.
        let needed = least + usize::from(!fitting.is_empty());
        if needed > left && !fitting.is_empty() {
            break;
        }
        left = left.saturating_sub(needed);
        fitting.push(*column);
    }
    let shown = shown.iter().filter(|(column, _)| fitting.contains(column));
    let mut columns: Vec<_> = shown
        .map(|(one, least)| (*one, *least.min(&width)))
        .collect();
    for (growing, most) in growing {
        for (column, width) in &mut columns {
            if column == growing {
                let more = left.min(*most);
                *width += more;
                left -= more;
            }
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_every_width() {
        let all = Known {
            threats: true,
            places: true,
        };
        for (known, width) in (1..300).flat_map(|width| [(Known::default(), width), (all, width)]) {
            let columns = columns(known, width);
            let used: usize = columns.iter().map(|(_, width)| width + 1).sum();
            assert!(used <= width + 1, "{columns:?} in {width}");
        }
    }

    #[test]
    fn eighty_columns_have_room_for_what_is_asked_first() {
        let shown = |known| -> Vec<Column> {
            let columns = columns(known, 79).into_iter();
            columns.map(|(column, _)| column).collect()
        };
        assert_eq!(
            shown(Known::default()),
            [Process, Arrow, Address, State, Sent, Received, Age]
        );
        let known = Known {
            threats: true,
            places: true,
        };
        assert_eq!(shown(known), [Process, Arrow, Address, Threat, Age]);
    }

    #[test]
    fn ages_have_six_columns_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (3599, "59m59s"),
            (86_399, "23h59m"),
            (86_400 * 12 + 3600, "12d01h"),
        ] {
            assert_eq!(age(seconds * 1_000_000_000), text);
        }
    }
}
