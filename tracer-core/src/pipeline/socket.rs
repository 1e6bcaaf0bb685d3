//! Sockets of kinds that are not followed.

use tracer_abi::{SocketFrame, Subject as RawSubject};

use super::Pipeline;
use crate::{
    record::{Attribution, Event, Record, Socket},
    select::{Person, Subject},
    socket::{SocketKind, family_of, protocol_of, type_of},
};

impl Pipeline {
    /// A process opened one.
    pub(super) fn socket(&mut self, frame: &SocketFrame, out: &mut Vec<Record>) {
        // A frame of none of the kinds does not come this far.
        let Some(kind) = SocketKind::of(frame) else {
            return;
        };
        self.totals.processed.delivered += 1;
        let record = self.socket_record(kind, frame);
        let subject = Subject {
            raw: RawSubject::of_socket(&frame.owner, frame.netns, frame.family, frame.protocol),
            owner: Some(Person::from(&*record.owner)),
            direction: None,
            is_threat: false,
        };
        // While the hooks are attached one after the other, what they report is not complete.
        let is_kept = frame.header.time_ns >= self.start_ns
            && self.selection.keeps_record(Event::Socket, None)
            && self
                .selection
                .keeps_connection(&self.compiled, &self.knowledge.cgroups, subject);
        let record = Record::Socket(Box::new(record));
        self.keep(record, is_kept, out);
    }

    fn socket_record(&mut self, kind: SocketKind, frame: &SocketFrame) -> Socket {
        Socket {
            head: self.head(frame.header.time_ns, Event::Socket),
            kind,
            family: family_of(frame).map(Into::into),
            socket_type: type_of(frame).map(Into::into),
            protocol: protocol_of(frame),
            inode: frame.inode,
            netns: frame.netns,
            attribution: Attribution::Socket,
            owner: self.knowledge.owner(&frame.owner, &self.clock),
            ancestry: self.knowledge.ancestry(&frame.owner),
        }
    }
}
