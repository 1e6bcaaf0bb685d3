//! `conntracer doctor --self-test`: makes something of every kind and looks whether it is reported.
//!
//! The kinds are made by another process in a network namespace that has nothing but loopback; what
//! is told of that namespace goes through the same pipeline as in a trace. So what is proved is all
//! of it, on this kernel: hooks, ring, decoding, attribution.

mod expect;
mod judge;
mod kind;
mod namespace;
pub mod peer;
mod table;
mod traffic;
mod uring;
mod verdict;

use std::{
    io::BufReader,
    process::ChildStdout,
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use anyhow::Context as _;

use self::{
    judge::{Gatherer, Judge, News},
    kind::Said,
    peer::{Peer, heard},
};
pub use self::{
    table::describe,
    verdict::{Finding, Verdict, all_untested},
};
use super::{
    enrich::Enriching,
    live::{self, Live, Output, Updates},
    session::Until,
};
use crate::{
    cli::{Bytes, Config, ConfigArgs, LiveArgs, NetworkArgs, SelectionArgs},
    kernel::{interrupts::ending_signals, ladder::Fact, log::Level, policy::Policy},
};

/// Size of the ring: little happens in the namespace, but the kernel tells of all processes.
const RING: Bytes = Bytes(4 << 20);

/// Makes everything, with the hooks that may be used, and says what was found of each kind.
pub fn run(hooks: &Policy) -> anyhow::Result<Vec<Finding>> {
    let (peer, mut lines) = Peer::start()?;
    let (netns, existing) = match heard(&mut lines) {
        Some(Said::Ready(netns, existing)) => (netns, existing),
        Some(Said::NoNamespace(why)) => return Ok(all_untested(&why)),
        _ => anyhow::bail!("the process that makes connections says nothing"),
    };
    // Threads made from here on leave the signals to the one that listens.
    ending_signals().thread_block()?;
    let (news, heard) = channel();
    let listening = news.clone();
    std::thread::Builder::new().spawn(move || listen(lines, &listening))?;
    let judge = Judge::new(peer, heard);
    let judging = std::thread::Builder::new().spawn(move || judge.run(&existing))?;
    let traced = trace(netns, hooks, Gatherer(news.clone()));
    // Fails if it is done.
    let _ = news.send(News::TracingEnded);
    let findings = judging.join().ok().context("a thread failed")?;
    traced?;
    findings.context("tracing ended before the self-test did")
}

/// Hands over what the process says.
fn listen(mut lines: BufReader<ChildStdout>, news: &Sender<News>) {
    while let Some(said) = heard(&mut lines) {
        // Fails when the judge has heard enough.
        let _ = news.send(News::Said(said));
    }
    let _ = news.send(News::PeerEnded);
}

/// Traces the namespace until the judge has heard enough.
fn trace(netns: u32, hooks: &Policy, to: Gatherer) -> anyhow::Result<()> {
    let live = LiveArgs {
        config: ConfigArgs { config: None },
        host_name: None,
        hooks: hooks.clone(),
        buffer: RING,
        kernel_log: Level::Off,
    };
    live::run(Live {
        facts: &Fact::ALL,
        selection: &SelectionArgs::of_namespace(netns),
        enriching: Enriching::default(),
        networks: &NetworkArgs::default(),
        config: &Config::default(),
        states: false,
        discovery: None,
        cross_check: false,
        hash: false,
        pods: None,
        output: Output::Taken(Box::new(to)),
        kernel: &live,
        record: None,
        count: None,
        updates: Updates::Never,
        udp_idle: Duration::MAX,
        until: Until::Interrupted,
        reload: None,
    })?;
    Ok(())
}
