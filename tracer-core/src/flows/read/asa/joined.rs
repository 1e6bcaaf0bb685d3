//! A connection of two messages: that it was built, and that it was torn down.

use std::sync::Arc;

use crate::{
    flows::{End, Flow, Stage},
    logs::recent::Recent,
};

/// What one message tells of a connection.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What the device calls it.
    pub id: String,
    /// What is told.
    pub flow: Flow,
    /// Who is named behind all.
    pub user: Option<String>,
    /// It was torn down.
    pub is_end: bool,
}

/// Device, protocol, and what the device calls a connection.
type Key = (Option<Arc<str>>, Option<u8>, String);

impl Piece {
    fn key(&self) -> Key {
        let protocol = self.flow.protocol.map(|protocol| protocol.0);
        (self.flow.device.clone(), protocol, self.id.clone())
    }
}

/// How many connections wait for their end, and as many are remembered that were told without it: a
/// firewall of a site has tens of thousands open. Each takes less than a kilobyte. A test need not make that many.
const OPEN_MAX: usize = if cfg!(test) { 1 << 12 } else { 1 << 16 };

/// Joins them.
#[derive(Debug)]
pub struct Joined {
    /// Built, and waiting for the message that it was torn down.
    built: Recent<Key, Piece>,
    /// Built and told without it, at the end of a file or as there were too many. If it still comes, it is
    /// known who has begun.
    told: Recent<Key, Piece>,
}

impl Default for Joined {
    fn default() -> Self {
        Self {
            built: Recent::keeping(OPEN_MAX),
            told: Recent::keeping(OPEN_MAX),
        }
    }
}

impl Joined {
    /// It was built: that waits. Told is what cannot wait any longer.
    pub fn begin(&mut self, mut piece: Piece, flows: &mut Vec<Flow>) {
        let user = piece.user.take();
        name(&mut piece.flow, user);
        piece.flow.stage = Some(Stage::Start);
        let key = piece.key();
        // What had the same number was torn down, and the log does not say so.
        let before = self.built.remove(&key);
        flows.extend(before.map(|piece| piece.flow));
        self.told.remove(&key);
        if let Some(oldest) = self.built.insert(key, piece) {
            self.tell(oldest, flows);
        }
    }

    /// It was torn down. Without the message that it was built, `alone` adds what else is known.
    pub fn end(&mut self, piece: Piece, flows: &mut Vec<Flow>, alone: impl FnOnce(&mut Flow)) {
        let built = self.built_as(&piece, flows);
        let mut flow = if let Some(built) = built {
            whole(built, piece)
        } else {
            let Piece { mut flow, user, .. } = piece;
            name(&mut flow, user);
            alone(&mut flow);
            flow
        };
        flow.stage = Some(Stage::End);
        flows.push(flow);
    }

    /// What was told when the connection was built. If its number was used again in between, that has
    /// other ends, and is told now if it is not yet.
    fn built_as(&mut self, piece: &Piece, flows: &mut Vec<Flow>) -> Option<Flow> {
        let key = piece.key();
        let told = self.told.remove(&key).map(|told| told.flow);
        let Some(Piece { flow: built, .. }) = self.built.remove(&key) else {
            return told.filter(|told| is_same(told, &piece.flow));
        };
        if is_same(&built, &piece.flow) {
            return Some(built);
        }
        flows.push(built);
        None
    }

    /// Tells all that wait, in the order in which it was built.
    pub fn flush(&mut self, flows: &mut Vec<Flow>) {
        while let Some(piece) = self.built.oldest() {
            self.tell(piece, flows);
        }
    }

    fn tell(&mut self, piece: Piece, flows: &mut Vec<Flow>) {
        flows.push(piece.flow.clone());
        self.told.insert(piece.key(), piece);
    }
}

/// The user behind all belongs to who has begun: it is whom the device let do so. If nobody knows who that
/// is, it stays in the words of the device. Of two users of one end, the one in its own parentheses stays.
fn name(flow: &mut Flow, user: Option<String>) {
    let Some(user) = user else { return };
    if flow.initiator_known {
        flow.source.user.get_or_insert(user);
    } else {
        let reason = flow.reason.take().unwrap_or_default();
        flow.reason = Some(format!("{reason} ({user})").trim_start().to_owned());
    }
}

/// Whether two messages are about the same ends. The order in which they write them need not be that of
/// the flow.
fn is_same(one: &Flow, other: &Flow) -> bool {
    let is_straight =
        is_at(&one.source, &other.source) && is_at(&one.destination, &other.destination);
    is_straight || is_crossed(one, other)
}

fn is_crossed(one: &Flow, other: &Flow) -> bool {
    is_at(&one.source, &other.destination) && is_at(&one.destination, &other.source)
}

fn is_at(one: &End, other: &End) -> bool {
    (one.ip, one.port, &one.name) == (other.ip, other.port, &other.name)
}

/// All of a connection: when and by whom it was built, and what is told of its end.
fn whole(mut flow: Flow, piece: Piece) -> Flow {
    let Piece {
        flow: mut end,
        user,
        ..
    } = piece;
    if is_crossed(&flow, &end) {
        std::mem::swap(&mut end.source, &mut end.destination);
    }
    flow.end = end.end;
    flow.bytes = end.bytes;
    flow.reason = end.reason.or(flow.reason);
    flow.action = end.action;
    flow.icmp = flow.icmp.or(end.icmp);
    flow.source.user = flow.source.user.or(end.source.user);
    flow.destination.user = flow.destination.user.or(end.destination.user);
    name(&mut flow, user);
    flow
}
