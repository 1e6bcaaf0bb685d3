//! VPC flow logs of AWS, with any columns.
//!
//! Format: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>

use std::{net::IpAddr, str::FromStr};

use jiff::Timestamp;

use crate::{
    flows::{Action, Amount, End, Flow, Format, Side, TcpFlags, ip::IpProtocol, read::Around},
    logs::{self, Reader, Unreadable},
};

/// The columns of a log without a header: those of version 2, which are the default.
const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
    action log-status";
/// What stands for a value that is not known.
const UNSET: &str = "-";
/// What the status says of rows that tell of no traffic: there was none, or it was not recorded.
const NOTHING: [&str; 2] = ["NODATA", "SKIPDATA"];

/// Reads them.
#[derive(Debug)]
pub struct Aws {
    /// The columns of the next log, unless it has a header.
    first: Vec<String>,
    columns: Vec<String>,
}

impl Aws {
    /// Of logs with the columns that are told around them.
    pub fn new(around: &Around) -> Self {
        let first = names(around.fields.as_deref().unwrap_or(DEFAULT));
        Self {
            columns: first.clone(),
            first,
        }
    }
}

/// As a header has them, or as the format of a flow log in the console: `${version} ${srcaddr}`.
fn names(line: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(['$', '{', '}']).to_owned();
    line.split_whitespace().map(bare).collect()
}

/// Whether a line names columns.
fn is_header(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| matches!(word, "srcaddr" | "pkt-srcaddr"))
}

/// Whether a line is the header of a flow log, or one with the default columns.
pub fn recognises(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_default = || {
        let is_status = |word: &&str| *word == "OK" || NOTHING.contains(word);
        words.len() == DEFAULT.split_whitespace().count()
            && words.first() == Some(&"2")
            && words.get(2).is_some_and(|word| word.starts_with("eni-"))
            && words.last().is_some_and(is_status)
    };
    is_header(line) || is_default()
}

impl Reader<Flow> for Aws {
    fn line(
        &mut self,
        line: &str,
        origin: &logs::Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if is_header(line) {
            self.columns = names(line);
            return Ok(());
        }
        let cells: Vec<&str> = line.split_whitespace().collect();
        if cells.len() != self.columns.len() {
            let (has, wants) = (cells.len(), self.columns.len());
            return Err(Unreadable(format!(
                "not the columns of the header: {has} of {wants}"
            )));
        }
        let row = Row {
            columns: &self.columns,
            cells,
        };
        if !row.is_nothing() {
            flows.push(row.flow(origin)?);
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Flow>) -> Result<(), Unreadable> {
        self.columns.clone_from(&self.first);
        Ok(())
    }
}

struct Row<'a> {
    columns: &'a [String],
    cells: Vec<&'a str>,
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        let at = self.columns.iter().position(|column| column == name)?;
        self.cells.get(at).copied().filter(|cell| *cell != UNSET)
    }

    fn is_nothing(&self) -> bool {
        let status = self.cell("log-status");
        status.is_some_and(|status| NOTHING.contains(&status))
    }

    /// A value, if the log has it.
    fn value<T: FromStr>(&self, name: &str) -> Result<Option<T>, Unreadable> {
        let parse = |cell: &str| {
            cell.parse()
                .map_err(|_| Unreadable(format!("no {name}: `{cell}`")))
        };
        self.cell(name).map(parse).transpose()
    }

    /// Of the packet, where the log has it: that of the interface is the last hop's, behind a NAT gateway or in front of a
    /// pod.
    fn address(&self, of_packet: &str, of_interface: &str) -> Result<IpAddr, Unreadable> {
        let address = match self.value(of_packet)? {
            None => self.value(of_interface)?,
            known => known,
        };
        address.ok_or_else(|| Unreadable(format!("no {of_interface}")))
    }

    fn flow(&self, origin: &logs::Origin) -> Result<Flow, Unreadable> {
        let second = |name: &str| -> Result<Option<Timestamp>, Unreadable> {
            let Some(second) = self.value(name)? else {
                return Ok(None);
            };
            let time = Timestamp::from_second(second);
            time.map(Some)
                .map_err(|_| Unreadable(format!("not a time: {second}")))
        };
        let time = second("start")?.ok_or_else(|| Unreadable::new("no start"))?;
        let mut flow = Flow::new(time, Format::AwsVpc, origin.into());
        flow.end = second("end")?;
        let source = self.address("pkt-srcaddr", "srcaddr")?;
        let destination = self.address("pkt-dstaddr", "dstaddr")?;
        flow.protocol = self.value("protocol")?.map(IpProtocol);
        // Of what has no ports it writes zeros.
        let has_ports = !flow.protocol.is_some_and(IpProtocol::is_icmp);
        let port = |name: &str| -> Result<Option<u16>, Unreadable> {
            Ok(self.value(name)?.filter(|_| has_ports))
        };
        flow.source = End::at(source, port("srcport")?);
        flow.destination = End::at(destination, port("dstport")?);
        flow.bytes.forward = self.value("bytes")?;
        flow.packets = Amount {
            forward: self.value("packets")?,
            ..Amount::default()
        };
        flow.flags = self.flags()?;
        flow.action = self.cell("action").and_then(|action| match action {
            "ACCEPT" => Some(Action::Allowed),
            "REJECT" => Some(Action::Denied),
            _ => None,
        });
        flow.reason = self.cell("reject-reason").map(str::to_owned);
        self.place(&mut flow);
        Ok(flow)
    }

    /// All of a minute or ten together.
    fn flags(&self) -> Result<Option<TcpFlags>, Unreadable> {
        let flags: Option<u16> = self.value("tcp-flags")?;
        Ok(flags.map(|flags| TcpFlags(flags.to_le_bytes()[0])))
    }

    /// The interface that it passed, on the side that the log says.
    fn place(&self, flow: &mut Flow) {
        let interface = self.cell("interface-id").map(Side::interface);
        match self.cell("flow-direction") {
            Some("ingress") => flow.ingress = interface,
            Some("egress") => flow.egress = interface,
            _ => flow.device = self.cell("interface-id").map(Into::into),
        }
        if let Some(instance) = self.cell("instance-id") {
            flow.device = Some(instance.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::flows::read::tests::{flows, only};

    fn aws(fields: Option<&str>) -> Aws {
        Aws::new(&Around {
            zone: TimeZone::UTC,
            year: None,
            fields: fields.map(Into::into),
            now: Timestamp::UNIX_EPOCH.into(),
        })
    }

    #[test]
    fn columns_that_are_told_around_it() {
        let fields = "${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${start} ${end}";
        let flow = only(
            aws(Some(fields)),
            "10.0.0.5 203.0.113.9 52344 443 6 1640000000 1640000060\n",
        );
        assert_eq!(flow.source, End::at([10, 0, 0, 5].into(), 52344));
        assert_eq!(flow.destination, End::at([203, 0, 113, 9].into(), 443));
    }

    #[test]
    fn without_a_header_it_is_the_default() {
        // As in the examples of the documentation.
        let line = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n";
        assert!(recognises(line));
        let flow = only(aws(None), line);
        assert_eq!(flow.destination, End::at([172, 31, 16, 21].into(), 22));
        assert_eq!(flow.bytes, Amount::forward(4249));
        assert_eq!(flow.action, Some(Action::Allowed));
        assert_eq!(flow.device.as_deref(), Some("eni-1235b8ca123456789"));
        assert!(!flow.initiator_known);
    }

    #[test]
    fn columns_of_a_header_in_their_order() {
        let log = "srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol bytes start end action flow-direction interface-id tcp-flags\n\
            10.0.0.1 10.0.0.2 203.0.113.9 10.0.0.2 443 5000 6 52 1640000000 1640000060 REJECT ingress eni-1 3\n";
        let flow = only(aws(None), log);
        assert_eq!(flow.source, End::at([203, 0, 113, 9].into(), 443));
        assert_eq!(flow.ingress, Some(Side::interface("eni-1")));
        assert_eq!(flow.flags, Some(TcpFlags(3)));
        assert_eq!(flow.action, Some(Action::Denied));
    }

    #[test]
    fn rows_without_traffic_and_rows_that_cannot_be_read() {
        let nothing = "2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n";
        assert!(recognises(nothing));
        assert_eq!(flows(aws(None), nothing), (Vec::new(), Vec::new()));
        assert_eq!(
            flows(aws(None), "2 1 eni-1\n").1,
            ["not the columns of the header: 3 of 14"]
        );
        let broken = "2 1 eni-1 x 10.0.0.1 1 2 6 1 1 1 1 ACCEPT OK\n";
        assert_eq!(flows(aws(None), broken).1, ["no srcaddr: `x`"]);
    }
}
