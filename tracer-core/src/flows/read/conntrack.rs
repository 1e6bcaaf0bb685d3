//! Events of Linux's connection tracking, as `conntrack -E -o timestamp` writes them.
//!
//! Format: <https://manpages.debian.org/bookworm/conntrack/conntrack.8.en.html>, and what `libnetfilter_conntrack`'s
//! `nfct_snprintf` prints: <https://git.netfilter.org/libnetfilter_conntrack/tree/src/conntrack/snprintf_default.c>

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::value::address;
use crate::{
    flows::{Amount, End, Flow, Format, Icmp, Stage, ip::IpProtocol},
    logs::{Origin, Reader, Unreadable},
};

/// The kinds of events.
const EVENTS: [(&str, Stage); 3] = [
    ("[NEW]", Stage::Start),
    ("[UPDATE]", Stage::Update),
    ("[DESTROY]", Stage::End),
];

/// Reads them.
#[derive(Debug, Default)]
pub struct Conntrack;

/// Whether a line is such an event.
pub fn recognises(line: &str) -> bool {
    stage(line).is_some() && line.contains(" src=") && line.contains(" dst=")
}

fn stage(line: &str) -> Option<Stage> {
    let found = EVENTS.iter().find(|(word, _)| line.contains(word));
    found.map(|(_, stage)| *stage)
}

impl Reader<Flow> for Conntrack {
    fn line(
        &mut self,
        line: &str,
        origin: &Origin,
        flows: &mut Vec<Flow>,
    ) -> Result<(), Unreadable> {
        if !line.trim().is_empty() {
            flows.push(flow(line, origin)?);
        }
        Ok(())
    }
}

fn flow(line: &str, origin: &Origin) -> Result<Flow, Unreadable> {
    let stage = stage(line).ok_or_else(|| Unreadable::new("no event of connection tracking"))?;
    let time = time(line)?;
    let [there, back] = tuples(line)?;
    let mut flow = Flow::new(time, Format::Conntrack, origin.into());
    flow.stage = Some(stage);
    flow.protocol = protocol(line);
    flow.initiator_known = true;
    flow.source = End::at(there.source()?, there.source_port());
    flow.destination = End::at(there.destination()?, there.destination_port());
    // What comes back goes to what the source was translated to, and from what the destination was.
    if let Some(ip) = back.get("dst") {
        let ip = Some(address(ip)?);
        flow.source.translate(ip, back.destination_port());
        let ip = back.get("src").map(address).transpose()?;
        flow.destination.translate(ip, back.source_port());
    }
    flow.icmp = there.icmp();
    let count = |name: &str| Amount {
        forward: there.number(name),
        reverse: back.number(name),
        ..Amount::default()
    };
    (flow.bytes, flow.packets) = (count("bytes"), count("packets"));
    flow.session = there
        .get("id")
        .or_else(|| back.get("id"))
        .map(str::to_owned);
    if stage == Stage::End {
        // With accounting of time, it says for how long it was there.
        let lasted = back
            .number("delta-time")
            .or_else(|| there.number("delta-time"));
        let lasted = lasted.and_then(|seconds| i64::try_from(seconds).ok());
        flow.end = Some(time);
        if let Some(seconds) = lasted {
            let begun = time.checked_sub(SignedDuration::from_secs(seconds));
            flow.time = begun.unwrap_or(time);
        }
    }
    Ok(flow)
}

/// `[1431508210.012345]`, which `-o timestamp` puts in front.
fn time(line: &str) -> Result<Timestamp, Unreadable> {
    let told = || {
        let (stamp, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
        let (seconds, micros) = stamp.trim().split_once('.')?;
        let since = i64::checked_mul(seconds.parse().ok()?, 1_000_000)?;
        Timestamp::from_microsecond(since.checked_add(micros.parse().ok()?)?).ok()
    };
    told().ok_or_else(|| Unreadable::new("no time stands before it: -o timestamp writes it"))
}

/// The number behind the protocol's name, of which there is one of layer 3 too with `-o extended`.
fn protocol(line: &str) -> Option<IpProtocol> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut pairs = words.windows(2);
    let of_pair = |pair: &[&str]| match pair {
        ["ipv4" | "ipv6", _] => None,
        [name, number] => {
            let number = number.parse().ok()?;
            let is_name = IpProtocol::of(name) == Some(IpProtocol(number)) || *name == "unknown";
            is_name.then_some(IpProtocol(number))
        }
        _ => None,
    };
    pairs.find_map(of_pair)
}

/// A tuple: what is written of one way.
#[derive(Default)]
struct Tuple<'a>(Vec<(&'a str, &'a str)>);

/// That of the way there, and that of the way back: each begins with an address.
fn tuples(line: &str) -> Result<[Tuple<'_>; 2], Unreadable> {
    let pairs = line
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    let mut tuples = [Tuple::default(), Tuple::default()];
    let mut count = 0_usize;
    for (key, value) in pairs {
        if key == "src" {
            count += 1;
        }
        let at = count.saturating_sub(1);
        let tuple = tuples.get_mut(at);
        let tuple = tuple.ok_or_else(|| Unreadable::new("more than two ways"))?;
        tuple.0.push((key, value));
    }
    Ok(tuples)
}

impl<'a> Tuple<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| *value)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    fn port(&self, key: &str) -> Option<u16> {
        self.get(key)?.parse().ok()
    }

    fn source_port(&self) -> Option<u16> {
        self.port("sport")
    }

    fn destination_port(&self) -> Option<u16> {
        self.port("dport")
    }

    fn source(&self) -> Result<IpAddr, Unreadable> {
        address(self.get("src").ok_or_else(|| Unreadable::new("no src"))?)
    }

    fn destination(&self) -> Result<IpAddr, Unreadable> {
        address(self.get("dst").ok_or_else(|| Unreadable::new("no dst"))?)
    }

    fn icmp(&self) -> Option<Icmp> {
        Some(Icmp {
            kind: self.get("type")?.parse().ok()?,
            code: self.get("code")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::read::tests::{flows, only};

    #[test]
    fn a_connection_behind_address_translation() {
        let line = "[1431508210.012345]\t [DESTROY] ipv4     2 tcp      6 src=10.0.0.5 dst=203.0.113.9 sport=52344 dport=443 packets=18 bytes=2260 \
            src=203.0.113.9 dst=192.0.2.1 sport=443 dport=16418 packets=22 bytes=20904 [ASSURED] delta-time=12 id=99\n";
        assert!(recognises(line));
        let flow = only(Conntrack, line);
        assert_eq!(flow.time.to_string(), "2015-05-13T09:09:58.012345Z");
        assert_eq!(flow.end.unwrap().to_string(), "2015-05-13T09:10:10.012345Z");
        assert_eq!(flow.protocol, Some(IpProtocol::TCP));
        assert_eq!(flow.source.nat.ip, Some([192, 0, 2, 1].into()));
        assert_eq!(flow.source.nat.port, Some(16418));
        assert_eq!(flow.destination, End::at([203, 0, 113, 9].into(), 443));
        assert_eq!(flow.bytes, Amount::both(2260, 20904));
        assert_eq!(
            (flow.session.as_deref(), flow.stage),
            (Some("99"), Some(Stage::End))
        );
    }

    #[test]
    fn what_begins_and_what_has_no_ports() {
        let line = "[1431508210.012345]\t    [NEW] udp      17 30 src=10.0.0.5 dst=10.0.0.53 sport=40000 dport=53 [UNREPLIED] \
            src=10.0.0.53 dst=10.0.0.5 sport=53 dport=40000\n";
        let flow = only(Conntrack, line);
        assert_eq!(
            (flow.stage, flow.protocol),
            (Some(Stage::Start), Some(IpProtocol::UDP))
        );
        assert_eq!(flow.source, End::at([10, 0, 0, 5].into(), 40000));
        assert!(flow.bytes.is_unknown() && flow.end.is_none());
        let line = "[1.5]\t    [NEW] icmp     1 30 src=10.0.0.5 dst=10.0.0.1 type=8 code=0 id=3 [UNREPLIED] src=10.0.0.1 dst=10.0.0.5 type=0 code=0 id=3\n";
        let flow = only(Conntrack, line);
        assert_eq!(flow.icmp, Some(Icmp { kind: 8, code: 0 }));
        assert_eq!(flow.source.port, None);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let why = |line: &str| flows(Conntrack, line).1.remove(0);
        assert!(
            why(" [NEW] tcp 6 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2").contains("-o timestamp")
        );
        assert_eq!(
            why("[1.5] [NEW] tcp 6 src=x dst=10.0.0.2"),
            "no address: `x`"
        );
        assert_eq!(why("[1.5] [NEW] tcp 6 dst=10.0.0.2"), "no src");
        assert!(why("hello").contains("no event"));
    }
}
