//! `conntracer export`: connections go to a server. Nothing else in conntracer connects to anybody.

mod body;
mod gather;
mod http;
mod journal;
mod password;

use std::io::Write as _;

use anyhow::Context as _;
use tracer_core::format::nemesis::{
    message::{Message, Messages, Profile},
    rows::Told,
};
use tracing::{error, info, warn};

use self::{
    body::Posting,
    http::{Answer, Client},
    journal::{Journal, State},
};
use super::{Ending, NOTES, live};
use crate::cli::{ExportArgs, ExportTo, NemesisExport};

/// Exports connections.
pub fn run(args: &ExportArgs) -> anyhow::Result<Ending> {
    let ExportTo::Nemesis(args) = &args.to;
    nemesis(args)
}

fn nemesis(args: &NemesisExport) -> anyhow::Result<Ending> {
    let config = args.live.config.load()?;
    let arguments = args.args.arguments(&config)?;
    let endpoint = http::endpoint(&args.server)?;
    // Made before anything is gathered, so that what cannot be posted costs nothing.
    let client = (!args.dry_run)
        .then(|| Client::new(&args.server, &endpoint))
        .transpose()?;
    let mut journal = Journal::open(journal::path(args), args.dry_run)?;
    live::say_what_is_shown(&arguments);
    let (told, gathered) = gather::gather(args, &config, arguments)?;
    let profile = args.nemesis.profile.profile(args.batch);
    let key = |told: &Told| journal::key(&endpoint, &profile.project, told);
    let fresh = unposted(told, &journal, args.server.repost_unknown, key);
    let messages = messages(fresh, &profile);
    let Some(client) = client else {
        print(&messages, args, &profile)?;
        return Ok(gathered);
    };
    let all_taken = post(&messages, &client, &mut journal, |message| {
        let keys = message.told.iter().map(key).collect();
        (
            keys,
            Posting::new(message, &profile, args.server.nemesis_api),
        )
    })?;
    Ok(if all_taken { gathered } else { Ending::Failed })
}

/// What was not posted before, each row once.
fn unposted(
    told: Vec<Told>,
    journal: &Journal,
    repost_unknown: bool,
    key: impl Fn(&Told) -> String,
) -> Vec<Told> {
    let (mut before, mut unknown) = (0_usize, 0_usize);
    let mut seen = std::collections::HashSet::new();
    let mut fresh = Vec::new();
    for told in told {
        let key = key(&told);
        match journal.state(&key) {
            Some(State::Confirmed) => before += 1,
            Some(State::Posting) if !repost_unknown => unknown += 1,
            _ if seen.insert(key) => fresh.push(told),
            _ => {}
        }
    }
    if before > 0 {
        info!(target: NOTES, "{before} rows were posted before, says the journal: not posted again");
    }
    if unknown > 0 {
        warn!(
            "{unknown} rows were posted before and nobody knows whether they were taken: not posted again; \
             --repost-unknown does"
        );
    }
    fresh
}

fn messages(told: Vec<Told>, profile: &Profile) -> Vec<Message> {
    let mut messages = Messages::new(profile.rows_max);
    let mut all: Vec<Message> = told
        .into_iter()
        .filter_map(|told| messages.put(told))
        .collect();
    all.extend(messages.end());
    all
}

/// Prints what would be posted.
fn print(messages: &[Message], args: &NemesisExport, profile: &Profile) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for message in messages {
        let posting = Posting::new(message, profile, args.server.nemesis_api);
        match out.write_all(&posting.bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.context("cannot write to stdout")?,
        }
    }
    let rows: usize = messages.iter().map(|message| message.told.len()).sum();
    info!(target: NOTES, "{} batches, {rows} rows: nothing was posted", messages.len());
    Ok(())
}

/// Posts each message once. Whether the server took all of them.
fn post(
    messages: &[Message],
    client: &Client,
    journal: &mut Journal,
    prepare: impl Fn(&Message) -> (Vec<String>, Posting),
) -> anyhow::Result<bool> {
    let mut taken = 0_usize;
    for (number, message) in (1..).zip(messages) {
        let (keys, posting) = prepare(message);
        let rows = message.told.len();
        // What is not in the journal could be posted twice.
        journal.write(State::Posting, &keys)?;
        let answer = client.post(posting);
        if let Some(state) = answer.state() {
            journal.write(state, &keys)?;
        }
        let batch = format!("batch {number} of {}, {rows} rows", messages.len());
        if let Answer::Taken { .. } = &answer {
            taken += 1;
            info!(target: NOTES, "{batch}: {answer}");
        } else {
            error!("{batch}: {answer}");
        }
        if answer.is_for_all() {
            let left = messages.len() - number;
            if left > 0 {
                error!("the other {left} batches were not posted, for they would end the same way");
            }
            break;
        }
    }
    info!(target: NOTES, "{taken} of {} batches were taken", messages.len());
    Ok(taken == messages.len())
}
