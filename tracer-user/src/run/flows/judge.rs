//! Which flows are asked for, and what is known of their ends.

use tracer_core::{
    flows::{Accounts, Flow, Named, NotOfFlows, Rules, Selected},
    scope::Scopes,
    service::Services,
};

use crate::{
    cli::{ShowArgs, Surroundings, UsageError, Window},
    host::etc,
    run::enrich::Enriching,
};

/// Says of flows what is known of their ends, and which are asked for.
pub struct Judge {
    rules: Rules,
    /// What the rules have of files that may change.
    enriching: Enriching,
    selected: Selected,
    /// Which formats name users, if that matters.
    named: Named,
    /// Only what was there then.
    pub window: Window,
    /// How many were not selected.
    pub left: u64,
    /// How many of all met an indicator.
    pub threats: u64,
}

impl Judge {
    /// By these flags. `attributed`: processes of this host are looked for.
    ///
    /// # Errors
    /// If what is selected is nothing that flows can answer.
    pub fn new(
        args: &ShowArgs,
        enriching: Enriching,
        attributed: bool,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            rules: Rules {
                // Whose addresses are this host's own matters to who asks about this host.
                scopes: Scopes::new(&[], &args.networks.networks()),
                services: Services::new(&etc::services()),
                enrichment: enriching.now(),
            },
            enriching,
            selected: selected(args, attributed)?,
            named: Named::default(),
            window: Window {
                since: None,
                until: None,
            },
            left: 0,
            threats: 0,
        })
    }

    /// Goes on by what files say now.
    pub fn refresh(&mut self) {
        let changed = self.enriching.changed();
        if changed.is_some() {
            self.rules.enrichment = changed;
        }
    }

    /// Whether it is asked for. Says of it what is known.
    pub fn keeps(&mut self, flow: &mut Flow) -> bool {
        self.rules.apply(flow);
        if self.selected.is_about_users() {
            self.named.note(flow);
        }
        let is_then = self.window.has(flow.time, flow.end.unwrap_or(flow.time));
        let is_threat = !flow.source.threat.is_empty() || !flow.destination.threat.is_empty();
        self.threats += u64::from(is_threat);
        let is_asked = is_threat || !self.enriching.is_of_threats;
        let is_kept = is_then && is_asked && self.selected.keeps(flow);
        self.left += u64::from(!is_kept);
        is_kept
    }

    /// Whether what was asked for could be answered, now that there are no more flows.
    ///
    /// # Errors
    /// If users were asked for of logs that name none.
    pub fn check(&self) -> Result<(), UsageError> {
        let silent = self.named.silent();
        let silent: Vec<String> = silent
            .map(|(format, flows)| format!("none of {flows} flows of {format}"))
            .collect();
        if silent.is_empty() {
            return Ok(());
        }
        let silent = silent.join(" and ");
        Err(UsageError(format!(
            "--user: {silent} names a user, so what a user did is not known of them"
        )))
    }
}

/// What is selected of them.
fn selected(args: &ShowArgs, attributed: bool) -> Result<Selected, UsageError> {
    let (accounts, others) = args.selection.without_users();
    let accounts = accounts
        .into_iter()
        .map(|(names, is_negated)| {
            let names = names.map_err(|why| UsageError(format!("--user: {why}")))?;
            Ok(Accounts { names, is_negated })
        })
        .collect::<Result<_, UsageError>>()?;
    let selection = others.resolve(&Surroundings {
        users: &[],
        is_live: false,
        may_have_more_users: true,
    })?;
    Selected::new(&selection, accounts, attributed).map_err(|NotOfFlows(flag)| {
        let why = if attributed {
            "neither a flow of another device nor its process says that; `conntracer trace --history` does, of this host"
        } else {
            "a flow of another device does not say that; of this host `conntracer flows attribute` knows the processes, and \
             `conntracer trace --history` the connections"
        };
        UsageError(format!("--{flag}: {why}"))
    })
}
