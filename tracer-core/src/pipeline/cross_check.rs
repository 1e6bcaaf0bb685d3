//! What a cross-check found becomes part of what is told of the sockets from before.

use std::collections::BTreeMap;

use tracer_abi::{
    Address, Connection as RawConnection, ConnectionFrame, Detail, Direction, Header, Identity,
    Kind, Name, tcp,
};

use super::Pipeline;
use crate::{
    clock::NS_PER_TICK,
    cross_check::{Ends, Hidden, Listed, Source, ends_of},
    fact::{self, Holder, Question},
    record::{self, Record},
    survey::Found,
};

/// Stands for a CPU in the ids of what no program of the kernel half has found: none has this number.
const NO_CPU: u16 = u16::MAX;

/// What a cross-check found.
#[derive(Debug, Default)]
pub struct CrossCheck {
    time_ns: u64,
    hidden: BTreeMap<Ends, Hidden>,
    /// As it is told in the end; `None`: there was none.
    totals: Option<record::CrossCheck>,
}

impl CrossCheck {
    /// Takes what was found.
    pub fn new(check: &fact::CrossCheck) -> Self {
        let hidden = check.hidden.iter();
        Self {
            time_ns: check.time_ns,
            hidden: hidden.clone().map(|one| (one.ends, one.clone())).collect(),
            totals: Some(record::CrossCheck {
                namespaces: check.namespaces,
                sockets: check.sockets,
                hidden: hidden.map(|one| one.missing).fold(0, u64::saturating_add),
                not_compared: check.not_compared.clone(),
            }),
        }
    }

    /// What it came to, for the last record.
    pub fn totals(&self) -> Option<record::CrossCheck> {
        self.totals.clone()
    }

    /// Whether anything is hidden.
    pub fn has_hidden(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Who does not list all sockets of these ends.
    pub fn hidden_from(&self, ends: &Ends) -> Vec<Source> {
        let hidden = self.hidden.get(ends);
        hidden.map(|one| one.from.clone()).unwrap_or_default()
    }

    /// The hidden sockets that are not among those that were found.
    fn not_among(&self, found: &[Found]) -> Vec<Found> {
        let mut told: BTreeMap<Ends, usize> = BTreeMap::new();
        for found in found {
            *told.entry(ends_of(&found.frame.connection)).or_default() += 1;
        }
        let untold = self.hidden.values().flat_map(|hidden| {
            let told = told.get(&hidden.ends).copied().unwrap_or_default();
            let sockets = hidden.sockets.iter().skip(told);
            sockets.map(move |socket| {
                // Of several, nobody knows which are told already.
                let listed = if told == 0 {
                    socket.clone()
                } else {
                    Listed {
                        state: socket.state,
                        ..Listed::default()
                    }
                };
                (hidden.ends, listed)
            })
        });
        // A recording that is damaged may name any time.
        let ids = (0..).map(|number| self.time_ns.saturating_add(number));
        ids.zip(untold)
            .map(|(opened_ns, (ends, listed))| self.found(opened_ns, &ends, listed))
            .collect()
    }

    fn found(&self, opened_ns: u64, ends: &Ends, listed: Listed) -> Found {
        let is_v4 = ends.remote.unwrap_or(ends.local).is_ipv4();
        let mut connection = RawConnection {
            opened_ns,
            opened_cpu: NO_CPU,
            family: if is_v4 { 4 } else { 6 },
            direction: match (ends.remote, listed.state) {
                (None, _) => Direction::LISTENING,
                (Some(_), tcp::SYN_SENT) => Direction::OUTBOUND,
                (Some(_), _) => Direction::UNKNOWN,
            },
            netns: ends.netns,
            local: address(ends.local),
            local_port: ends.local.port(),
            protocol: ends.protocol.number(),
            selected: 1,
            // Whether a process took it is not known, and that of the listener's is not guessed at.
            flags: RawConnection::OPEN_BEFORE | RawConnection::ACCEPTED,
            ..RawConnection::UNKNOWN
        };
        if let Some(remote) = ends.remote {
            (connection.remote, connection.remote_port) = (address(remote), remote.port());
        }
        Found {
            frame: ConnectionFrame {
                header: Header {
                    time_ns: self.time_ns,
                    kind: Kind::EXISTING,
                    cpu: NO_CPU,
                    len: 0,
                },
                connection,
                detail: Detail::of_states(listed.state, listed.state),
            },
            holders: listed.holders.iter().map(identity).collect(),
            listed: Some(listed),
        }
    }
}

impl Pipeline {
    /// What would be good to know before a cross-check is learned.
    #[must_use]
    pub fn questions_of(&self, check: &fact::CrossCheck) -> Vec<Question> {
        let sockets = check.hidden.iter().flat_map(|hidden| &hidden.sockets);
        sockets
            .flat_map(|socket| &socket.holders)
            .flat_map(|holder| self.knowledge.questions(&identity(holder)))
            .collect()
    }

    /// Whether a cross-check found something that is hidden.
    #[must_use]
    pub fn has_hidden(&self) -> bool {
        self.cross_check.has_hidden()
    }

    /// All of what was there before has been found.
    pub fn surveyed(&mut self, out: &mut Vec<Record>) {
        let (mut found, left_out) = self.survey.take_all();
        self.totals.processed.suppressed += left_out as u64;
        if !std::mem::replace(&mut self.is_surveyed, true) {
            let more = self.cross_check.not_among(&found);
            self.totals.processed.derived += more.len() as u64;
            found.extend(more);
        }
        // Listeners first, because they explain what was taken by them.
        found.sort_by_key(|found| found.frame.connection.direction != Direction::LISTENING);
        for found in found {
            self.existing(found, out);
        }
    }
}

fn address(end: std::net::SocketAddr) -> Address {
    match end.ip() {
        std::net::IpAddr::V4(v4) => Address(v4.to_ipv6_mapped().octets()),
        std::net::IpAddr::V6(v6) => Address(v6.octets()),
    }
}

fn name_of(text: &str) -> Name {
    let mut name = Name::EMPTY;
    for (to, from) in name.0.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    name
}

/// A process as the kernel half would tell it, as far as `/proc` knows.
fn identity(holder: &Holder) -> Identity {
    let is_v1 = holder.is_cgroup_v1;
    Identity {
        start_ns: holder.start_ticks.saturating_mul(NS_PER_TICK),
        // Of its programs the newest.
        exec_id: u64::MAX,
        cgroup_id: holder.cgroup,
        tgid: holder.pid,
        tid: holder.pid,
        ns_tgid: holder.ns_pid,
        sid: holder.session,
        uid: holder.uid,
        gid: holder.gid,
        euid: holder.euid,
        auid: holder.auid,
        audit_session: holder.audit_session,
        flags: if is_v1 {
            tracer_abi::identity_flag::CGROUP_V1
        } else {
            0
        },
        comm: name_of(&holder.name),
    }
}
