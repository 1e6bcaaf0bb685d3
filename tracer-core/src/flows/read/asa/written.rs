//! An end of a flow with all that messages say of it: interface, translation and user.

use std::net::Ipv4Addr;

use super::{
    cursor::Cursor,
    place::{self, Place},
};
use crate::{
    flows::{End, Flow, Side, ip::IpProtocol},
    logs::Unreadable,
};

/// One end, with all that a message says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    /// Its interface. `identity` and `NP Identity Ifc` are the device itself.
    pub interface: Option<&'a str>,
    place: Place<'a>,
    mapped: Option<Place<'a>>,
    user: Option<&'a str>,
    /// Name of the host, of rules for names of hosts.
    name: Option<&'a str>,
}

impl<'a> Written<'a> {
    /// `IF:real/port (mapped/port)(user)`. Before 106023 the interface may be left out.
    pub fn take(cursor: &mut Cursor<'a>) -> Result<Self, Unreadable> {
        let mut ahead = *cursor;
        if is_ipv4(ahead.word()?) {
            return Self::bare(cursor);
        }
        let interface = cursor.until(":")?;
        let interface = interface.trim();
        // 305012 writes the access list of the translation behind it.
        let interface = interface
            .split_once('(')
            .map_or(interface, |(name, _)| name);
        if interface.is_empty() || interface.contains(['/', ')']) {
            return Err(Unreadable::new("an end without its interface"));
        }
        Ok(Self {
            interface: Some(interface.trim_end()),
            ..Self::bare(cursor)?
        })
    }

    /// The same without an interface.
    pub fn bare(cursor: &mut Cursor<'a>) -> Result<Self, Unreadable> {
        let mut written = Self::at(None, Place::of(cursor.word()?)?);
        written.groups(cursor);
        Ok(written)
    }

    /// One of which nothing else is said.
    pub fn at(interface: Option<&'a str>, place: Place<'a>) -> Self {
        Self {
            interface,
            place,
            mapped: None,
            user: None,
            name: None,
        }
    }

    /// What is in parentheses behind it: what it is translated to, and who it is.
    pub fn groups(&mut self, cursor: &mut Cursor<'a>) {
        let mut ahead = *cursor;
        while let Some(group) = ahead.group() {
            let is_mapped = self.mapped.is_none().then(|| mapped(group)).flatten();
            if is_mapped.is_some() {
                self.mapped = is_mapped;
            } else if group.starts_with("type ") || is_behind_all(cursor.rest(), ahead.rest()) {
                return;
            } else {
                self.identify(group);
            }
            *cursor = ahead;
        }
    }

    /// `DOMAIN\user`, `DOMAIN\user, 5:Group` or the name of a host: "Identity Firewall" of Cisco's guide
    /// says that users are written with their domain.
    fn identify(&mut self, group: &'a str) {
        let is_tag = |tag: &str| {
            tag.trim_start()
                .starts_with(|digit: char| digit.is_ascii_digit())
        };
        let who = match group.rsplit_once(',') {
            Some((who, tag)) if is_tag(tag) => who.trim(),
            _ => group.trim(),
        };
        let is_host = who.contains('.') && !who.contains(['\\', '@', ' ']);
        if is_host {
            self.name = self.name.or(Some(who));
        } else if !who.is_empty() {
            self.user = self.user.or(Some(who));
        }
    }

    /// The end of a flow that it is.
    pub fn end(&self, protocol: IpProtocol) -> Result<End, Unreadable> {
        let mut end = self.place.end(protocol)?;
        if let Some(mapped) = self.mapped {
            let mapped = mapped.end(protocol)?;
            end.translate(mapped.ip, mapped.port);
        }
        end.user = self.user.map(str::to_owned);
        end.name = end.name.or_else(|| self.name.map(str::to_owned));
        Ok(end)
    }

    /// What it is translated to, by what another part of the message says.
    pub fn map(&mut self, place: Place<'a>) {
        self.mapped = Some(place);
    }

    /// Where it is, without what else is said.
    pub fn place(&self) -> Place<'a> {
        self.place
    }
}

fn is_ipv4(word: &str) -> bool {
    let host = word.split_once('/').map_or(word, |(host, _)| host);
    host.parse::<Ipv4Addr>().is_ok()
}

/// `192.0.2.1/80` or `Web_Server/80`; an address without a port, for protocols without them.
fn mapped(group: &str) -> Option<Place<'_>> {
    let place = Place::of(group).ok()?;
    (place.is_address() || place.is_numbered()).then_some(place)
}

/// Whether a group is not about the end before it, but about the connection: a space is before it, and no
/// other end behind it.
fn is_behind_all(before: &str, behind: &str) -> bool {
    let behind = behind.trim_start();
    before.starts_with(' ') && (behind.is_empty() || behind.starts_with("type "))
}

/// Puts both ends into a flow. The source's interface is where it came in.
pub fn put(
    flow: &mut Flow,
    protocol: IpProtocol,
    source: &Written<'_>,
    destination: &Written<'_>,
) -> Result<(), Unreadable> {
    flow.source = source.end(protocol)?;
    flow.destination = destination.end(protocol)?;
    flow.protocol = Some(place::of_version(protocol, flow.source.ip));
    flow.ingress = source.interface.map(Side::interface);
    flow.egress = destination.interface.map(Side::interface);
    flow.service = destination.place.service().map(str::to_owned);
    Ok(())
}

/// Whether both ends have a port, or a word for one, if their protocol has ports.
pub fn is_complete(flow: &Flow) -> bool {
    let has_port = flow.source.port.is_some() && flow.destination.port.is_some();
    has_port || flow.service.is_some() || !flow.protocol.is_some_and(IpProtocol::has_ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> (Option<&str>, End) {
        let mut cursor = Cursor::new(text);
        let written = Written::take(&mut cursor).unwrap();
        (written.interface, written.end(IpProtocol::TCP).unwrap())
    }

    #[test]
    fn ends_of_every_form() {
        let (interface, plain) = end("NP Identity Ifc:192.0.2.1/22 (192.0.2.1/22) to x");
        assert_eq!(interface, Some("NP Identity Ifc"));
        assert_eq!(plain, End::at([192, 0, 2, 1].into(), 22), "not translated");
        let (_, v6) = end("outside:2001:db8::1/62477 (2001:db8::1/62477)");
        assert_eq!(v6, End::at("2001:db8::1".parse().unwrap(), 62477));
        let (_, named) = end("dmz:OCSP_Server/5678(corp.example, 7:Lab) (192.0.2.1/80) (alice)");
        assert_eq!(named.name.as_deref(), Some("OCSP_Server"));
        assert_eq!(
            (named.nat.ip, named.nat.port),
            (Some([192, 0, 2, 1].into()), Some(80))
        );
        assert_eq!((named.ip, named.port, named.user), (None, Some(5678), None));
        let (_, both) = end("a:10.0.0.1/1(LOCAL\\Speci\u{e4}l \u{d6}01 (x)) (192.0.2.1/2)");
        assert_eq!(
            both.user.as_deref(),
            Some("LOCAL\\Speci\u{e4}l \u{d6}01 (x)")
        );
        assert_eq!(both.nat.port, Some(2));
        let (interface, bare) = end("10.0.0.1/www(EXAMPLE\\bob, 5:Staff)");
        assert_eq!((interface, bare.port), (None, Some(80)));
        assert_eq!(bare.user.as_deref(), Some("EXAMPLE\\bob"));
        let (_, host) = end("a:10.0.0.1/1(www.example.com)");
        assert_eq!(
            (host.name.as_deref(), host.user),
            (Some("www.example.com"), None)
        );
    }

    #[test]
    fn what_is_no_end() {
        for text in [
            "",
            "inside",
            "inside:",
            ":10.0.0.1/1",
            "a/b:10.0.0.1/1",
            "inside:10.0.0.300/1",
            "inside:20g1::1/1",
            "inside:10.0.0.1/65536",
            "inside:10.0.0.1/-1",
            "inside:10.0.0.1/",
        ] {
            let taken = Written::take(&mut Cursor::new(text));
            let end = taken.and_then(|written| written.end(IpProtocol::TCP));
            assert!(end.is_err(), "{text}: {end:?}");
        }
    }
}
