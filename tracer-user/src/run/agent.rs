//! `conntracer agent`: keeps every connection of this host.

mod health;
mod reload;
mod service;
mod stream;

use std::path::Path;

use tracer_core::{record::Event, select::Selection};
use tracing::{info, warn};

use self::{
    health::{Health, Server},
    reload::Reloader,
    stream::Stream,
};
use super::{
    Ending, NOTES,
    enrich::Enriching,
    live::{self, Live, Output, Updates},
    session::Until,
};
use crate::{
    cli::{AgentArgs, Config, Surroundings, UsageError},
    host::{
        accounts,
        pods::{self, Pods},
    },
    kernel::{interrupts::ending_signals, ladder::Fact},
    output::{sink::RecordSink, tee::Tee},
    privileges,
    store::{Book, Keep, Writer},
};

/// Keeps them until it is ended.
pub fn run(args: &AgentArgs) -> anyhow::Result<Ending> {
    let config = args.live.config.load()?;
    let path = args.kept.place.path(&config);
    let settings = args.kept.settings(&config)?;
    let streamed = streamed(args, &config)?;
    privileges::check()?;
    // Before anything is loaded: there may be another agent, and no API server.
    let server = args.health.map(Server::bind).transpose()?;
    let node = args.pods_of_node.as_ref();
    let api = node.map(|_| pods::Server::of_environment()).transpose()?;
    let book = Book::open(&path, settings.arguments)?;
    say_what_is_kept(&path, &settings.keep);
    // Threads made from here on leave the signals to the one that listens.
    ending_signals().thread_block()?;
    let writer = Writer::start(book, settings.keep, Box::new(service::tell))?;
    let handle = writer.handle();
    let stream = streamed
        .map(|selection| Stream::start(selection, config.stream_arguments()?))
        .transpose()?;
    let streaming = stream.as_ref().map(Stream::handle);
    let pods = api
        .zip(node)
        .map(|(api, node)| pods::follow(api, node.as_ref()))
        .transpose()?;
    let health = server
        .map(|server| {
            let health = Health::new(
                handle.clone(),
                path.clone(),
                streaming.clone(),
                pods.clone(),
            );
            let observer = health.observer();
            server.start(health).map(|()| observer)
        })
        .transpose()?;
    // Health hears of the end before the history does, for that takes its time.
    let history: Box<dyn RecordSink> = Box::new(writer);
    let stream = stream.map(|stream| Box::new(stream) as Box<dyn RecordSink>);
    let sinks = [health, Some(history), stream];
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
        enriching: Enriching::default(),
        networks: &args.networks,
        config: &config,
        output: Output::Taken(Box::new(Tee::new(sinks.into_iter().flatten().collect()))),
        kernel: &args.live,
        record: None,
        count: None,
        updates: Updates::every(args.update_interval.into()),
        udp_idle: args.watch.udp_idle.into(),
        states: false,
        discovery: (!args.no_discovery).then(|| config.discovery()),
        cross_check: false,
        hash: args.details.hash,
        pods: pods.clone(),
        until: Until::after(args.watch.duration),
        reload: Some(Box::new(reload)),
    })?;
    if let Some(pods) = pods {
        say_what_was_listed(&pods);
    }
    let has_lost = handle.has_lost() || streaming.is_some_and(|stream| stream.has_lost());
    Ok(if has_lost {
        ending.worse(Ending::Incomplete)
    } else {
        ending
    })
}

/// What is streamed beside what is kept, if anything is.
fn streamed(args: &AgentArgs, config: &Config) -> anyhow::Result<Option<Selection>> {
    let Some(flags) = args.stream.selection(config) else {
        return Ok(None);
    };
    let users = accounts::of_host();
    let selection = flags.resolve(&Surroundings {
        users: &users,
        is_live: true,
        may_have_more_users: false,
    })?;
    if selection.events.contains(&Event::State) {
        let why = "--stream: `state` is told by `trace --states` only";
        return Err(UsageError(why.to_owned()).into());
    }
    if args.no_discovery && flags.wants_findings() {
        let why = "--stream: `discovery` is not told with --no-discovery";
        return Err(UsageError(why.to_owned()).into());
    }
    Ok(Some(selection))
}

/// What the API server told of the pods of this node.
fn say_what_was_listed(pods: &Pods) {
    let counts = pods.counts();
    let when = counts.last_success.and_then(|at| at.elapsed().ok());
    match when {
        Some(ago) if pods.has_synced() => info!(
            target: NOTES,
            "pods of this node: {}; {} lists, {} watches broke, {} requests failed, the last one that did not {} s ago",
            counts.pods,
            counts.lists,
            counts.restarts,
            counts.errors,
            ago.as_secs()
        ),
        _ => warn!(
            "the API server never told the pods of this node: {} requests failed",
            counts.errors
        ),
    }
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
