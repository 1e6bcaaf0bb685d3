//! `conntracer agent`: keeps every connection of this host.

mod reload;
mod service;

use std::path::Path;

use tracing::info;

use self::reload::Reloader;
use super::{
    Ending, NOTES,
    live::{self, Live, Output, Updates},
    session::Until,
};
use crate::{
    cli::AgentArgs,
    kernel::{interrupts::ending_signals, ladder::Fact},
    privileges,
    store::{Book, Keep, Writer},
};

/// Keeps them until it is ended.
pub fn run(args: &AgentArgs) -> anyhow::Result<Ending> {
    let config = args.live.config.load()?;
    let path = args.kept.place.path(&config);
    let settings = args.kept.settings(&config)?;
    privileges::check()?;
    // Before anything is loaded: there may be another agent.
    let book = Book::open(&path, settings.arguments)?;
    say_what_is_kept(&path, &settings.keep);
    // Threads made from here on leave the signals to the one that listens.
    ending_signals().thread_block()?;
    let writer = Writer::start(book, settings.keep, Box::new(service::tell))?;
    let handle = writer.handle();
    let reload = Reloader {
        config: args.live.config.clone(),
        kept: args.kept.clone(),
        networks: args.networks.clone(),
        path,
        writer: handle.clone(),
    };
    let ending = live::run(Live {
        facts: &Fact::ALL,
        selection: &args.selection,
        networks: &args.networks,
        config: &config,
        output: Output::Taken(Box::new(writer)),
        hooks: &args.live.hooks,
        buffer: args.live.buffer,
        kernel_log: args.live.kernel_log,
        record: None,
        count: None,
        updates: Updates::every(args.update_interval.into()),
        udp_idle: args.watch.udp_idle.into(),
        states: false,
        discovery: (!args.no_discovery).then(|| config.discovery()),
        cross_check: false,
        hash: args.details.hash,
        until: Until::after(args.watch.duration),
        reload: Some(Box::new(reload)),
    })?;
    Ok(if handle.has_lost() {
        ending.worse(Ending::Incomplete)
    } else {
        ending
    })
}

/// Where the history is, and how far it goes back.
fn say_what_is_kept(path: &Path, keep: &Keep) {
    let days = |time: std::time::Duration| time.as_secs() / 86_400;
    info!(
        target: NOTES,
        "the history is {}: connections of {} d, sums of minutes of {} d, of hours of {} d, of days of {} d, \
         {} MiB at most",
        path.display(),
        days(keep.details),
        days(keep.minutes),
        days(keep.hours),
        days(keep.days),
        keep.bytes >> 20
    );
}
