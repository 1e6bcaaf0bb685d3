//! Sets whose template has not come yet.

use std::collections::VecDeque;

use super::{context::Context, message::Version};

/// Sets that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sets: VecDeque<Waits>,
    bytes: usize,
}

/// A set that waits, with what is known of its message.
#[derive(Debug)]
pub(super) struct Waits {
    pub template: u16,
    pub context: Context,
    pub body: Vec<u8>,
}

impl Waits {
    /// Whose template it waits for.
    pub fn domain(&self) -> (Version, u32) {
        (self.context.header.version, self.context.header.domain)
    }

    /// What it takes to keep it: many small sets take more than they hold.
    fn size(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

impl Waiting {
    /// Lets a set wait. Those that are let go for it.
    pub fn push(&mut self, set: Waits, limit: usize) -> Vec<Waits> {
        self.bytes += set.size();
        self.sets.push_back(set);
        let mut gone = Vec::new();
        while self.bytes > limit
            && let Some(oldest) = self.sets.pop_front()
        {
            self.bytes -= oldest.size();
            gone.push(oldest);
        }
        gone
    }

    /// Takes out those that wait for a template.
    pub fn take(&mut self, domain: (Version, u32), template: u16) -> Vec<Waits> {
        self.take_if(|set| set.domain() == domain && set.template == template)
    }

    /// Takes out those of a domain.
    pub fn take_domain(&mut self, domain: (Version, u32)) -> Vec<Waits> {
        self.take_if(|set| set.domain() == domain)
    }

    /// Takes out all.
    pub fn take_all(&mut self) -> Vec<Waits> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, is_taken: impl Fn(&Waits) -> bool) -> Vec<Waits> {
        if !self.sets.iter().any(&is_taken) {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) = self.sets.drain(..).partition(is_taken);
        self.sets = kept.into();
        self.bytes -= taken.iter().map(Waits::size).sum::<usize>();
        taken
    }
}
