//! Packets of exporters, in captures or one after the other as they came.

use std::{io::Read, sync::Arc};

use anyhow::Context as _;
use tracer_core::flows::{
    Packet,
    export::{
        self, Exporters, Taken,
        sflow::{self, Agents},
    },
};

use super::capture::{self, Captured, Datagram};
use crate::run::input::Input;

/// Where a message is looked for: the largest datagram there can be, and the beginning of the next one, have room in
/// it.
const LOOKED_AT: usize = 128 << 10;
/// Bytes that are held at most.
const HELD_MAX: usize = 1 << 20;

/// Whether a file that begins like this has packets.
pub fn recognises(begin: &[u8]) -> bool {
    capture::recognises(begin) || export::recognises(begin)
}

/// Who sends packets: what they have told so far.
#[derive(Default)]
pub struct Senders {
    /// Of flows.
    pub exporters: Exporters,
    /// Of samples.
    agents: Agents,
}

/// What of the packets of a capture is none of these.
#[derive(Default)]
pub struct Passed {
    /// Packets of something else.
    pub others: u64,
    /// Parts of datagrams.
    pub fragments: u64,
}

/// Hands over what is told by the packets of a file, one after the other.
///
/// # Errors
/// If it cannot be read to its end, or `take` says so.
pub fn each(
    input: Input,
    senders: &mut Senders,
    mut take: impl FnMut(&mut Taken) -> anyhow::Result<()>,
) -> anyhow::Result<Passed> {
    let name = input.name.clone();
    let file: Arc<str> = name.as_str().into();
    let from = |number: u64, exporter: Option<String>| Packet {
        file: Some(file.clone()),
        packet: Some(number),
        exporter: exporter.map(Into::into),
        sequence: None,
    };
    let mut taken = Taken::default();
    let mut passed = Passed::default();
    let result = if capture::recognises(&input.begin) {
        capture::each(input.bytes(), |number, captured| {
            match captured {
                Captured::Datagram(datagram) => {
                    let from = from(number, Some(datagram.from.to_string()));
                    if !senders.take(&datagram, &from, &mut taken) {
                        passed.others += 1;
                    }
                }
                Captured::Fragment => passed.fragments += 1,
                Captured::Other => passed.others += 1,
            }
            take(&mut taken)
        })
    } else {
        one_after_the_other(input.bytes(), |number, payload| {
            let exporters = &mut senders.exporters;
            exporters.take(payload, &from(number, None), &mut taken);
            take(&mut taken)
        })
    };
    result.with_context(|| format!("cannot read {name}"))?;
    Ok(passed)
}

impl Senders {
    /// Takes a datagram. Whether it is of one of them: a sample needs a time, which it does not tell itself.
    fn take(&mut self, datagram: &Datagram<'_>, from: &Packet, taken: &mut Taken) -> bool {
        let payload = datagram.payload;
        if export::recognises(payload) {
            self.exporters.take(payload, from, taken);
            return true;
        }
        match datagram.time {
            Some(time) if sflow::recognises(payload) => {
                self.agents.take(payload, from, time, taken);
                true
            }
            _ => false,
        }
    }
}

/// Hands over each message with its number, from 1. Where one ends, it says itself, or the next one does.
fn one_after_the_other(
    mut input: impl Read,
    mut take: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut held, mut at) = (Vec::new(), 0);
    for number in 1_u64.. {
        // What was handed over makes room only when too little is left: to move the rest takes longer than to read it.
        if held.len() - at < LOOKED_AT {
            held.drain(..at);
            at = 0;
            let missing = u64::try_from(HELD_MAX - held.len()).unwrap_or_default();
            input.by_ref().take(missing).read_to_end(&mut held)?;
        }
        let end = held.len().min(at + LOOKED_AT);
        let rest = held.get(at..end).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        // What is no message, nobody knows the end of: it is handed over whole, and told.
        let length = export::length(rest).unwrap_or(rest.len());
        let (message, _) = rest.split_at(length.clamp(1, rest.len()));
        take(number, message)?;
        at += message.len();
    }
    Ok(())
}
