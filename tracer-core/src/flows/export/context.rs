//! What is known of a message, for whoever reads its records: perhaps later, when their template came.

use std::sync::Arc;

use super::{message::Header, sampling::Rate, taken::Taken};
use crate::flows::Packet;

/// What is known of a message.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub header: Header,
    pub origin: Packet,
    /// Address of the exporter.
    pub device: Option<Arc<str>>,
}

impl Context {
    /// What the header says of sampling.
    pub fn sampled(&self) -> Rate {
        Rate::one_in(u64::from(self.header.sampling))
    }

    /// Notes what lies behind all that was read.
    pub fn trailing(&self, rest: &[u8], taken: &mut Taken) {
        taken.trailing(&self.origin, rest);
    }
}
