//! From a frame about a connection to its record.

use std::sync::Arc;

use tracer_abi::{
    Attribution as RawAttribution, Connection as RawConnection, ConnectionFrame,
    Direction as RawDirection, Identity, Subject as RawSubject, tcp,
};

use super::Pipeline;
use crate::{
    attribution::attribution,
    connections::{Known, Open, Place},
    cross_check::ends_of,
    fields::{
        community_id, direction_of, error_of, id_of, local_of, protocol_of, state_after,
        state_before,
    },
    outcome,
    protocol::Protocol,
    record::{
        self, Attribution, Bytes, Connection, Direction, Endpoint, Event, Holder, Packets, Record,
    },
    scope::{Scope, to_ip},
    select::{Person, Subject},
    survey::Found,
};

impl Pipeline {
    /// Takes a frame about a connection or listener.
    pub(super) fn connection(
        &mut self,
        event: Event,
        frame: &ConnectionFrame,
        out: &mut Vec<Record>,
    ) {
        self.totals.processed.delivered += 1;
        if !self.namespaces.contains(&frame.connection.netns) {
            self.namespaces.push(frame.connection.netns);
        }
        // While the hooks are attached one after the other, what they report is not complete; what is
        // still there afterwards was there before.
        let is_early = frame.header.time_ns < self.start_ns;
        if event == Event::Existing || (is_early && !event.is_last()) {
            let before = self.survey.add(frame);
            self.totals.processed.suppressed += u64::from(before.is_some());
            return;
        }
        match self.survey.take(id_of(&frame.connection)) {
            Some(found) if !is_early => self.existing(found, out),
            Some(_) => self.totals.processed.suppressed += 1,
            None => {}
        }
        if is_early || !self.is_news(event, frame) {
            self.totals.processed.suppressed += 1;
            return;
        }
        let open = self.attribute(frame);
        self.tell(event, frame, open, out);
    }

    /// An update that was overtaken by the end of its connection comes too late.
    fn is_news(&self, event: Event, frame: &ConnectionFrame) -> bool {
        event != Event::Update || self.connections.get(id_of(&frame.connection)).is_some()
    }

    /// Tells of what was there before.
    pub(super) fn existing(&mut self, found: Found, out: &mut Vec<Record>) {
        let Found {
            mut frame,
            holders,
            listed,
        } = found;
        if let [holder] = holders.as_slice()
            && frame.connection.owner.tgid == 0
        {
            frame.connection.owner = *holder;
            frame.connection.attribution = RawAttribution::EXISTING;
        }
        let mut open = self.attribute(&frame);
        open.hidden_from = self.cross_check.hidden_from(&ends_of(&frame.connection));
        open.listed = listed;
        if open.direction.is_none() {
            let place = Place::of(&frame.connection);
            let is_inbound = self.connections.listens(place) || self.survey.listens(place);
            open.direction = Some(if is_inbound {
                Direction::Inbound
            } else {
                Direction::Outbound
            });
            open.is_inferred = true;
        }
        if open.user.is_none() {
            open.holders = holders
                .iter()
                .map(|holder| self.knowledge.holder(holder))
                .collect();
            open.is_selected = holders
                .iter()
                .any(|holder| self.selects_held(&frame, holder, &open));
        }
        self.tell(Event::Existing, &frame, open, out);
    }

    /// Makes the record of what happened to a connection.
    fn tell(
        &mut self,
        event: Event,
        frame: &ConnectionFrame,
        mut open: Open,
        out: &mut Vec<Record>,
    ) {
        let record = self.record(event, frame, &open);
        // What several hold is not nobody's.
        if open.user.is_some() || open.holders.is_empty() {
            open.is_selected |= self.selects(frame, &record);
        }
        let is_kept = open.is_selected && self.selection.keeps_record(event, record.outcome);
        let id = record.id;
        // What a change of state says of its connection is said by every other record too. One that came
        // before a process took the connection must not decide whether those are kept.
        if event == Event::State {
            return self.keep(Record::Connection(Box::new(record)), is_kept, out);
        }
        // Nobody sees the end of what is in TIME_WAIT.
        if event.is_last() || frame.detail.new_state == tcp::TIME_WAIT {
            self.survey.end(&frame.connection);
            self.connections.remove(id);
        } else {
            self.connections.insert(id, open);
        }
        self.keep(Record::Connection(Box::new(record)), is_kept, out);
    }

    /// Whether the tests on connections keep it.
    fn selects(&self, frame: &ConnectionFrame, record: &Connection) -> bool {
        let subject = Subject {
            raw: RawSubject::from(&frame.connection),
            owner: record.owner.as_deref().map(Person::from),
            direction: record.direction,
            is_threat: record.remote.as_ref().is_some_and(Endpoint::is_threat),
        };
        self.selection
            .keeps_connection(&self.compiled, &self.knowledge.cgroups, subject)
    }

    /// Whether they keep it for the sake of one of those who hold it.
    fn selects_held(&mut self, frame: &ConnectionFrame, holder: &Identity, open: &Open) -> bool {
        let mut connection = frame.connection;
        connection.owner = *holder;
        let owner = self.knowledge.owner(holder, &self.clock);
        let remote = self.remote_of(&connection, frame.header.time_ns);
        let subject = Subject {
            raw: RawSubject::from(&connection),
            owner: Some(Person::from(&*owner)),
            direction: open.direction,
            is_threat: remote.is_some_and(|remote| remote.is_threat()),
        };
        self.selection
            .keeps_connection(&self.compiled, &self.knowledge.cgroups, subject)
    }

    /// What is known of the connection once this frame is taken into account.
    fn attribute(&mut self, frame: &ConnectionFrame) -> Open {
        let connection = &frame.connection;
        let id = id_of(connection);
        let known = self.connections.get(id).cloned();
        let mut open = known.unwrap_or_else(|| Open {
            opener: None,
            user: None,
            holders: Vec::new(),
            direction: direction_of(connection),
            is_inferred: false,
            listens_on: (connection.direction == RawDirection::LISTENING)
                .then(|| Place::of(connection)),
            is_accepted: false,
            is_selected: false,
            hidden_from: Vec::new(),
            listed: None,
            elsewhere: self.connections.take_elsewhere(id),
        });
        open.is_accepted |= connection.flags & RawConnection::ACCEPTED != 0;
        let identity = &connection.owner;
        if identity.tgid == 0 {
            return open;
        }
        let is_known = open
            .user
            .as_ref()
            .is_some_and(|user| user.identity == *identity);
        if !is_known {
            open.user = Some(Known {
                identity: *identity,
                owner: self.knowledge.owner(identity, &self.clock),
                attribution: attribution(connection.attribution),
            });
        }
        if let Some(user) = &mut open.user
            && self.knowledge.has_more_of(identity, &user.owner)
        {
            // It came after the first record.
            user.owner = self.knowledge.owner(identity, &self.clock);
        }
        if open.opener.is_none() {
            open.opener.clone_from(&open.user);
        }
        open
    }

    fn record(&self, event: Event, frame: &ConnectionFrame, open: &Open) -> Connection {
        let (connection, detail) = (&frame.connection, &frame.detail);
        let protocol = protocol_of(connection);
        let is_tcp = protocol == Protocol::Tcp;
        let is_close = event == Event::Close;
        let has_counters = is_close
            || event == Event::Update
            // What a UDP socket has moved before nobody has counted.
            || (is_tcp
                && event == Event::Existing
                // What others list has none.
                && open.listed.is_none()
                && !matches!(detail.new_state, tcp::LISTEN | tcp::TIME_WAIT));
        let direction = open.direction;
        let outcome = match event {
            Event::Failed => Some(outcome::of_attempt(connection, detail)),
            Event::Close if is_tcp => Some(outcome::of_connection(detail)),
            Event::Close => Some(outcome::of_flow(detail)),
            _ => None,
        };
        let is_unaccepted = direction == Some(Direction::Inbound) && !open.is_accepted;
        let (owner, attribution) = self.owner(connection, open, is_unaccepted);
        let is_open_before = connection.flags & RawConnection::OPEN_BEFORE != 0
            || connection.opened_ns < self.start_ns;
        let since_opened = frame.header.time_ns.saturating_sub(connection.opened_ns) / 1000;
        let local = local_of(connection);
        let remote = self.remote_of(connection, frame.header.time_ns);
        let mut record = Connection {
            head: self.head(frame.header.time_ns, event),
            id: id_of(connection),
            protocol,
            family: family_of(connection).into(),
            direction,
            direction_source: direction.map(|_| source_of(open).into()),
            open_before: is_open_before,
            hidden_from: match event {
                Event::Existing => open.hidden_from.clone(),
                _ => Vec::new(),
            },
            old_state: state_before(event, detail.old_state).map(Into::into),
            state: state_after(protocol, event, detail.new_state).map(Into::into),
            outcome,
            error: error_of(outcome, detail.error),
            accepted: (is_close && is_unaccepted).then_some(false),
            requested: open.elsewhere.requested,
            translated: open.elsewhere.translated,
            service: self.service_of(connection, direction),
            community_id: community_id(protocol, local.as_ref(), remote.as_ref()),
            local,
            remote,
            netns: connection.netns,
            socket: record::Listed::of(event, open),
            bytes: has_counters.then_some(Bytes {
                sent: detail.sent_bytes,
                received: detail.received_bytes,
            }),
            packets: (has_counters && !is_tcp).then_some(Packets {
                sent: detail.sent_packets,
                received: detail.received_packets,
            }),
            rtt_us: (detail.rtt_us > 0).then_some(detail.rtt_us),
            retransmits: (is_tcp && (has_counters || event == Event::Failed))
                .then_some(detail.retransmits),
            latency_us: (event == Event::Established && !is_open_before).then_some(since_opened),
            duration_us: (is_close && !is_open_before).then_some(since_opened),
            attribution,
            holders: holders_of(open),
            ancestry: self.ancestry(event, connection),
            opened_by: open.opened_by(),
            owner,
            profile: None,
            unexpected: false,
        };
        if let Some(enrichment) = &self.enrichment {
            enrichment.account(&mut record);
        }
        record
    }

    /// Who used it last, and how whoever opened it is known.
    fn owner(
        &self,
        connection: &RawConnection,
        open: &Open,
        is_unaccepted: bool,
    ) -> (Option<Arc<record::Owner>>, Attribution) {
        if let (Some(user), Some(opener)) = (&open.user, &open.opener) {
            return (Some(user.owner.clone()), opener.attribution);
        }
        if is_unaccepted && let Some(listener) = self.connections.listener(Place::of(connection)) {
            return (Some(listener.owner.clone()), Attribution::Listener);
        }
        (None, Attribution::None)
    }

    fn ancestry(&self, event: Event, connection: &RawConnection) -> Vec<record::Ancestor> {
        let has_ancestry = matches!(
            event,
            Event::Existing | Event::Connect | Event::Accept | Event::Listen
        )
            // Nothing came before it that could have told.
            || (event == Event::Failed && connection.flags & RawConnection::NO_SYN != 0);
        if has_ancestry && connection.owner.tgid != 0 {
            self.knowledge.ancestry(&connection.owner)
        } else {
            Vec::new()
        }
    }

    /// The other end, as it is known at a time.
    fn remote_of(&self, connection: &RawConnection, time_ns: u64) -> Option<Endpoint> {
        if connection.direction == RawDirection::LISTENING {
            return None;
        }
        let ip = to_ip(connection.remote);
        let scope = self.scopes.of(ip);
        let found = self.names.find(connection.netns, connection.owner.tgid, ip);
        let (name, name_source, names) = match found {
            Some(found) => (Some(found.name), Some(found.source), found.others),
            None => (None, None, Vec::new()),
        };
        let mut remote = Endpoint {
            name,
            name_source,
            names,
            scope: (scope != Scope::Unspecified).then_some(scope),
            ..Endpoint::at(ip, connection.remote_port)
        };
        if let Some(enrichment) = &self.enrichment {
            enrichment.end(&mut remote, self.clock.timestamp(time_ns));
        }
        Some(remote)
    }

    /// The name of the port that was connected to.
    fn service_of(
        &self,
        connection: &RawConnection,
        direction: Option<Direction>,
    ) -> Option<Arc<str>> {
        let port = match direction? {
            Direction::Outbound => connection.remote_port,
            Direction::Inbound | Direction::Listening => connection.local_port,
        };
        self.services.name(protocol_of(connection), port)
    }
}

/// Who holds it, as long as nobody was seen using it.
fn holders_of(open: &Open) -> Vec<Holder> {
    if open.user.is_none() {
        open.holders.clone()
    } else {
        Vec::new()
    }
}

/// What is on the wire.
fn family_of(connection: &RawConnection) -> &'static str {
    if connection.family == 4 {
        "ipv4"
    } else {
        "ipv6"
    }
}

/// How its direction is known.
fn source_of(open: &Open) -> &'static str {
    if open.is_inferred {
        "inferred"
    } else {
        "observed"
    }
}
