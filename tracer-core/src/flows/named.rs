//! Which logs name users.

use std::collections::BTreeMap;

use super::Flow;

/// Counts, by format, the flows that name a user. A format that names none cannot say what a user did, and that nothing
/// is found would be taken for an answer.
#[derive(Debug, Default)]
pub struct Named(BTreeMap<&'static str, Count>);

#[derive(Debug, Default)]
struct Count {
    all: u64,
    named: u64,
}

impl Named {
    /// Counts a flow.
    pub fn note(&mut self, flow: &Flow) {
        let count = self.0.entry(flow.format.word()).or_default();
        let is_named = flow.owner().is_some() || flow.users().next().is_some();
        count.all += 1;
        count.named += u64::from(is_named);
    }

    /// The formats none of whose flows named a user, with how many flows that were.
    pub fn silent(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let silent = self.0.iter().filter(|(_, count)| count.named == 0);
        silent.map(|(format, count)| (*format, count.all))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::flows::{Format, Origin, Packet};

    #[test]
    fn one_name_is_enough_and_each_format_counts_for_itself() {
        let flow = |format, user: Option<&str>| {
            let origin = Origin::Packet(Packet::default());
            let mut flow = Flow::new(Timestamp::UNIX_EPOCH, format, origin);
            flow.destination.user = user.map(str::to_owned);
            flow
        };
        let mut named = Named::default();
        for (format, user) in [
            (Format::ZeekConn, None),
            (Format::ZeekConn, None),
            (Format::CiscoAsa, None),
            (Format::CiscoAsa, Some("alice")),
        ] {
            named.note(&flow(format, user));
        }
        assert_eq!(named.silent().collect::<Vec<_>>(), [("zeek-conn", 2)]);
    }
}
