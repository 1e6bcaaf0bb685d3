//! The flow that a line of the traffic log tells.

use std::net::IpAddr;

use super::{
    super::Around,
    column::{self as at, Column, Line},
    time,
};
use crate::{
    flows::{Action, Amount, End, Flow, Format, Side, Stage, ip::IpProtocol},
    logs::{Origin, Unreadable},
};

/// What stands where there is no reason: of what has not ended.
const NO_REASON: &str = "n/a";
/// How words begin for what is not let through; a space, a dash or nothing may follow.
const DENIED: [&str; 4] = ["deny", "drop", "reset", "block"];

/// The flow.
pub fn flow(line: &Line<'_>, origin: &Origin, around: &Around) -> Result<Flow, Unreadable> {
    let stage = stage(line.subtype());
    let (time, end) = time::span(line, stage, around)?;
    let protocol = protocol(line)?;
    let action = action(line);
    Ok(Flow {
        end,
        source: source(line, protocol)?,
        destination: destination(line, protocol)?,
        // The source of a session is who sent its first packet.
        initiator_known: true,
        protocol,
        bytes: amount(line, [at::BYTES_SENT, at::BYTES_RECEIVED], at::BYTES)?,
        packets: amount(line, [at::PACKETS_SENT, at::PACKETS_RECEIVED], at::PACKETS)?,
        action,
        stage,
        reason: reason(line, action),
        rule: line.text(at::RULE),
        ingress: side(line, at::INBOUND, at::SOURCE_ZONE),
        egress: side(line, at::OUTBOUND, at::DESTINATION_ZONE),
        session: line.text(at::SESSION),
        application: line.text(at::APPLICATION),
        device: line.device().map(Into::into),
        ..Flow::new(time, Format::PanosTraffic, origin.into())
    })
}

/// What is told. A session that is dropped or denied is over with that.
fn stage(subtype: &str) -> Option<Stage> {
    match subtype {
        "start" => Some(Stage::Start),
        "end" | "drop" | "deny" => Some(Stage::End),
        _ => None,
    }
}

fn action(line: &Line<'_>) -> Option<Action> {
    let word = line
        .get(at::ACTION)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_denied = |word: &str| DENIED.iter().any(|denied| word.starts_with(denied));
    if is_denied(line.subtype()) || is_denied(&word) {
        return Some(Action::Denied);
    }
    (word == "allow").then_some(Action::Allowed)
}

/// Why it ended. Of what was not let through or is called by another word, at least that word.
fn reason(line: &Line<'_>, action: Option<Action>) -> Option<String> {
    let reason = line.text(at::REASON).filter(|reason| reason != NO_REASON);
    let word = || {
        line.text(at::ACTION)
            .filter(|_| action != Some(Action::Allowed))
    };
    reason.or_else(word)
}

fn protocol(line: &Line<'_>) -> Result<Option<IpProtocol>, Unreadable> {
    let read = |text: &str| {
        let protocol = IpProtocol::of(text);
        protocol.ok_or_else(|| line.wrong(at::PROTOCOL, &format!("not a protocol: `{text}`")))
    };
    line.get(at::PROTOCOL).map(read).transpose()
}

fn source(line: &Line<'_>, protocol: Option<IpProtocol>) -> Result<End, Unreadable> {
    let port = port(line, at::SOURCE_PORT, protocol)?;
    let mut end = End::at(line.address(at::SOURCE)?, port);
    translate(&mut end, line, [at::NAT_SOURCE, at::NAT_SOURCE_PORT])?;
    end.user = line.text(at::SOURCE_USER);
    Ok(end)
}

fn destination(line: &Line<'_>, protocol: Option<IpProtocol>) -> Result<End, Unreadable> {
    let port = port(line, at::DESTINATION_PORT, protocol)?;
    let mut end = End::at(line.address(at::DESTINATION)?, port);
    translate(
        &mut end,
        line,
        [at::NAT_DESTINATION, at::NAT_DESTINATION_PORT],
    )?;
    end.user = line.text(at::DESTINATION_USER);
    Ok(end)
}

fn port(
    line: &Line<'_>,
    column: Column,
    protocol: Option<IpProtocol>,
) -> Result<Option<u16>, Unreadable> {
    let port = line.number(column)?;
    let has_ports = protocol.is_none_or(IpProtocol::has_ports);
    Ok(port.filter(|_| has_ports))
}

/// Zeros say that nothing was translated.
fn translate(end: &mut End, line: &Line<'_>, [ip, port]: [Column; 2]) -> Result<(), Unreadable> {
    let ip: Option<IpAddr> = line.read(ip, "an address")?;
    let port: Option<u16> = line.number(port)?;
    let ip = ip.filter(|ip| !ip.is_unspecified());
    // What has no ports has none that were translated.
    let port = port.filter(|port| *port != 0 && end.port.is_some());
    end.translate(ip, port);
    Ok(())
}

fn amount(line: &Line<'_>, each: [Column; 2], total: Column) -> Result<Amount, Unreadable> {
    let [forward, reverse] = each;
    let (forward, reverse) = (line.number(forward)?, line.number(reverse)?);
    let total = line.number(total)?;
    Ok(Amount {
        forward,
        reverse,
        total: total.filter(|_| forward.is_none() && reverse.is_none()),
        estimated: false,
    })
}

fn side(line: &Line<'_>, interface: Column, zone: Column) -> Option<Side> {
    let side = Side {
        interface: line.text(interface),
        zone: line.text(zone),
    };
    (side != Side::default()).then_some(side)
}
