//! Messages that one packet, or those of a rule, were let through or not.
//!
//! Formats: messages 106001 to 106103, 313001 to 313005, 710002 and 710003 of "Cisco Secure Firewall ASA
//! Series Syslog Messages".

use super::{
    cursor::Cursor,
    place::{self, Place},
    written::{self, Written},
};
use crate::{
    flows::{Action, Flow, Icmp, Side, Stage, TcpFlags, ip::IpProtocol},
    logs::Unreadable,
};

/// Reads a message into a flow of which time and device are known.
pub type Parse = fn(&mut Cursor<'_>, &mut Flow) -> Result<(), Unreadable>;

/// `Deny TCP (no connection) from a/1 to b/2 flags RST on interface IF`, `Deny inbound UDP from a/1 to b/2 due
/// to DNS Query`. The headline is the reason, as the device words it.
pub fn from_to(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    let headline = cursor.until(" from ")?;
    let protocol = spoken(headline)?;
    let source = Written::bare(cursor)?;
    cursor.expect("to")?;
    let destination = Written::bare(cursor)?;
    written::put(flow, protocol, &source, &destination)?;
    let mut reason = headline.to_owned();
    if cursor.take("flags") {
        let words = cursor.until("on interface")?;
        flow.flags = flags(words);
        if flow.flags.is_none() {
            reason = format!("{headline} flags {}", words.trim());
        }
        flow.ingress = interface(cursor.rest());
    } else if cursor.take("on") {
        cursor.expect("interface")?;
        flow.ingress = interface(cursor.rest());
    } else if cursor.take("due") {
        let why = cursor.rest().trim().trim_end_matches('.');
        reason = format!("{headline} due {why}");
    }
    denied(flow, &reason);
    Ok(())
}

/// `Deny tcp src IF:a/1 dst IF:b/2 by access-group "ACL" [0x0, 0x0]`, of ICMP with `(type 3, code 1)`.
pub fn access_group(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    src_dst(cursor, flow)?;
    cursor.expect("by")?;
    if !cursor.take("access-group") {
        cursor.expect("access_group")?;
    }
    let text = cursor.rest().trim_start();
    let quoted = text.strip_prefix('"').and_then(|text| text.split_once('"'));
    let rule = match quoted {
        Some((rule, _)) => rule,
        None => cursor.word()?,
    };
    flow.rule = Some(rule.to_owned());
    flow.action = Some(Action::Denied);
    Ok(())
}

/// `Deny inbound icmp src IF:a dst IF:b (type 8, code 0)`.
pub fn inbound_icmp(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    let headline = src_dst(cursor, flow)?;
    denied(flow, headline);
    Ok(())
}

/// `No matching connection for ICMP error message: icmp src IF:a dst IF:b (type 3, code 3) on IF interface.
/// Original IP payload: udp src b/53 dst a/40000.` The packet that the error is about stays in the reason.
pub fn icmp_error(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    let headline = cursor.until(": ")?;
    src_dst(cursor, flow)?;
    let payload = cursor.until("Original IP payload:");
    let reason = match payload {
        Ok(_) => format!("{headline}: {}", cursor.rest().trim().trim_end_matches('.')),
        Err(_) => headline.to_owned(),
    };
    denied(flow, &reason);
    Ok(())
}

/// `access-list ACL denied tcp IF/a(1) -> IF/b(2) hit-cnt 1 first hit [0x0, 0x0]`, and `… tcp for user 'alice'
/// IF/a(1) -> …`. The count is of hits of the rule by such packets in an interval, not of packets of one
/// flow: it stays in the words of the device.
pub fn access_list(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    cursor.expect("access-list")?;
    flow.rule = Some(cursor.word()?.to_owned());
    flow.action = Some(match cursor.word()? {
        "permitted" | "est-allowed" => Action::Allowed,
        "denied" => Action::Denied,
        other => {
            return Err(Unreadable(format!(
                "neither permitted nor denied: `{other}`"
            )));
        }
    });
    let protocol = place::protocol(cursor.word()?)?;
    let user = if cursor.take("for") {
        user(cursor)?
    } else {
        None
    };
    let source = with_parentheses(cursor)?;
    cursor.take("->");
    let destination = with_parentheses(cursor)?;
    written::put(flow, protocol, &source, &destination)?;
    if protocol.is_icmp() {
        // Type and code are where ports are.
        flow.icmp = type_and_code(source.place(), destination.place());
    }
    flow.source.user = user.or(flow.source.user.take());
    hits(cursor, flow)
}

/// `TCP access denied by ACL from a/1 to IF:b/ssh`: to the device itself.
pub fn to_device(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    let headline = cursor.until(" from ")?;
    let protocol = spoken(headline)?;
    let source = Written::bare(cursor)?;
    cursor.expect("to")?;
    let destination = Written::take(cursor)?;
    written::put(flow, protocol, &source, &destination)?;
    // It came in where the device has this address, and went out nowhere.
    flow.ingress = flow.egress.take();
    if headline.contains("permitted") {
        flow.action = Some(Action::Allowed);
    } else {
        denied(flow, headline);
    }
    Ok(())
}

/// `Denied ICMP type=8, code=0 from a on interface IF`: to the device itself, at an address that is not
/// said; and `Denied ICMP type=0, from a on interface IF to b: no matching session`.
pub fn icmp_to_device(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    let headline = cursor.until(" from ")?;
    let protocol = spoken(headline)?;
    cursor.take("laddr");
    let source = Written::bare(cursor)?;
    flow.source = source.end(protocol)?;
    flow.protocol = Some(place::of_version(protocol, flow.source.ip));
    flow.icmp = named_type(headline)?;
    cursor.expect("on")?;
    cursor.expect("interface")?;
    let (side, reason) = match cursor.rest().rsplit_once(" to ") {
        Some((side, rest)) => {
            let (destination, why) = rest.split_once("no matching").ok_or_else(no_session)?;
            let destination = destination.trim_end().trim_end_matches(':');
            flow.destination = Place::of(destination)?.end(protocol)?;
            let headline = headline.trim_end_matches(',');
            (side, format!("{headline}: no matching{why}"))
        }
        None => (cursor.rest(), headline.to_owned()),
    };
    flow.ingress = interface(side);
    denied(flow, &reason);
    Ok(())
}

fn no_session() -> Unreadable {
    Unreadable::new("`no matching session` is missing")
}

/// `tcp src IF:a/1 dst IF:b/2`, with type and code of ICMP. What stands before.
fn src_dst<'a>(cursor: &mut Cursor<'a>, flow: &mut Flow) -> Result<&'a str, Unreadable> {
    let headline = cursor.until(" src ")?;
    let protocol = place::protocol(headline.rsplit(' ').next().unwrap_or_default())?;
    let source = Written::take(cursor)?;
    cursor.expect("dst")?;
    let destination = Written::take(cursor)?;
    written::put(flow, protocol, &source, &destination)?;
    flow.icmp = place::icmp(cursor)?;
    Ok(headline)
}

fn denied(flow: &mut Flow, reason: &str) {
    flow.action = Some(Action::Denied);
    flow.reason = Some(reason.trim().to_owned());
}

/// The protocol of a headline: `Deny inbound UDP`.
fn spoken(headline: &str) -> Result<IpProtocol, Unreadable> {
    let mut words = headline.split_whitespace();
    let known = words.find_map(IpProtocol::of);
    known.ok_or_else(|| Unreadable(format!("no protocol in `{headline}`")))
}

fn interface(text: &str) -> Option<Side> {
    let name = text.trim().trim_end_matches('.');
    (!name.is_empty()).then(|| Side::interface(name))
}

/// `SYN ACK`. Nothing, if one of them is not known.
fn flags(words: &str) -> Option<TcpFlags> {
    let bits = words.split_whitespace().map(|word| {
        let mut bits = (0..8).map(|bit| 1_u8 << bit);
        bits.find(|bit| TcpFlags(*bit).words().eq([word]))
    });
    let all = bits.collect::<Option<Vec<u8>>>()?;
    Some(TcpFlags(all.iter().fold(0, |all, bit| all | bit)))
}

/// `user 'alice'`; `'<unknown>'` is nobody.
fn user(cursor: &mut Cursor<'_>) -> Result<Option<String>, Unreadable> {
    cursor.expect("user")?;
    let user = if cursor.rest().trim_start().starts_with('\'') {
        cursor.until("'")?;
        cursor.until("'")?
    } else {
        cursor.word()?
    };
    Ok((!user.is_empty() && user != "<unknown>").then(|| user.to_owned()))
}

/// `IF/a(1)(user)`.
fn with_parentheses<'a>(cursor: &mut Cursor<'a>) -> Result<Written<'a>, Unreadable> {
    let interface = cursor.until("/")?.trim();
    let host = cursor.word()?;
    // 106102 is documented with a space in place of parentheses.
    let port = match cursor.group() {
        Some(port) => port,
        None => cursor.word()?,
    };
    let mut written = Written::at(Some(interface), Place::new(host, Some(port))?);
    written.groups(cursor);
    Ok(written)
}

fn type_and_code(kind: Place<'_>, code: Place<'_>) -> Option<Icmp> {
    let octet = |place: Place<'_>| place.port()?.parse().ok();
    Some(Icmp {
        kind: octet(kind)?,
        code: octet(code)?,
    })
}

/// `type=8, code=0`. Nothing, if the code is not said.
fn named_type(headline: &str) -> Result<Option<Icmp>, Unreadable> {
    let value = |name: &str| {
        let (_, rest) = headline.split_once(name)?;
        rest.split_whitespace().next()
    };
    let (Some(kind), Some(code)) = (value("type="), value("code=")) else {
        return Ok(None);
    };
    Ok(Some(Icmp {
        kind: place::octet(kind)?,
        code: place::octet(code)?,
    }))
}

/// `hit-cnt 5 300-second interval`: after the first hit the same packets are told of again in intervals.
fn hits(cursor: &mut Cursor<'_>, flow: &mut Flow) -> Result<(), Unreadable> {
    cursor.until("hit-cnt ")?;
    let text = cursor.rest();
    let text = text.split_once('[').map_or(text, |(hits, _)| hits).trim();
    flow.reason = Some(format!("hit-cnt {text}"));
    let is_first = text.ends_with("first hit");
    flow.stage = match flow.action {
        _ if !is_first => Some(Stage::Update),
        Some(Action::Allowed) => Some(Stage::Start),
        _ => None,
    };
    Ok(())
}
