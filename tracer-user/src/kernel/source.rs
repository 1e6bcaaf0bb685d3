//! The door to the kernel, as the run sees it.

use std::time::Duration;

use tracer_core::{
    decode::used,
    fact::{self, Detached},
    select::Compiled,
    totals::Counters,
};

use crate::host::namespaces::Namespace;

/// What a source of frames has to say.
#[derive(Debug)]
pub enum Message {
    /// Frames, one after the other, each as long as its header says.
    Frames(Vec<u8>),
    /// Somebody took a program out of its place; the next counters count it.
    Detached(Detached),
    /// The counters, at a time in nanoseconds since boot.
    Counters(u64, Counters),
    /// Everything that was there before has been reported; at a time in nanoseconds since boot.
    Surveyed(u64),
    /// The user wants to stop; may come more than once.
    Interrupted,
    /// What is configured is to be read again.
    Reload,
    /// Nothing happened in the time given.
    TimedOut,
    /// Nothing will come any more.
    Ended,
}

/// The door to the kernel.
pub trait Source {
    /// The next message; waits for it as long as `timeout` says.
    fn next(&mut self, timeout: Option<Duration>) -> Message;

    /// Makes the kernel select by what the rules about addresses are now.
    fn select(&mut self, selection: &Compiled) -> anyhow::Result<()>;

    /// Looks for what was there before tracing. It is reported in frames; [`Message::Surveyed`] says
    /// that these were all.
    fn survey(&mut self, namespaces: Vec<Namespace>);

    /// Compares what was there before with what others list; `None`: that is not asked for.
    fn cross_check(&mut self) -> Option<fact::CrossCheck>;

    /// Has the counters of open connections reported, in frames.
    fn update(&mut self);

    /// Ends flows of datagrams in which nothing moves any more.
    fn sweep(&mut self);

    /// Makes the kernel stop. What it had to say until then still comes, the last counters at the
    /// end, and then [`Message::Ended`].
    fn stop(&mut self) -> anyhow::Result<()>;
}

/// Splits frames that lie one after the other. What does not make a frame is the last piece.
pub fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let len = used(bytes).len().max(1);
        let (frame, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        bytes = rest;
        Some(frame)
    })
}
