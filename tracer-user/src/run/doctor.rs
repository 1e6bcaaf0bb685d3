//! `conntracer doctor`: what this kernel allows. It attaches each hook for a moment and takes it
//! away again; nothing of the host is changed.

use std::io::{ErrorKind, Write};

use anyhow::Context as _;
use serde::Serialize;
use tracer_core::{fact::Networks, scope::Scopes, select::Compiled};

use super::Ending;
use crate::{
    cli::{DoctorArgs, DoctorFormat},
    host::{cgroups::Hierarchies, identity, namespaces},
    kernel::{
        ladder::Fact,
        load::{self, Outcome, Request},
        policy::Policy,
    },
    privileges::{self, Privilege},
};

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    kernel: String,
    /// The kernel describes its types.
    btf: bool,
    /// The lockdown mode; absent: not in force, or not to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    lockdown: Option<String>,
    /// Where the root cgroup is.
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup2: Option<String>,
    /// The version 1 controller that containers are told apart by.
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup1: Option<String>,
    capabilities: Vec<Privilege>,
    facts: Vec<Finding>,
    /// What this process's own namespaces hide, in sentences.
    #[serde(skip)]
    hidden: Vec<String>,
    /// What is missing, that included, in sentences.
    degraded: Vec<String>,
    /// Why nothing can be traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What became of a fact.
#[derive(Debug, Serialize)]
struct Finding {
    fact: &'static str,
    /// The hook that reports it; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    /// Better hooks, and why they are not used.
    refused: Vec<Refusal>,
    /// What this hook misses.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    via: &'static str,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

/// Looks, and says what it found.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Ending> {
    privileges::check()?;
    let findings = examine(&args.hooks);
    let mut text = Vec::new();
    match args.output {
        DoctorFormat::Json => {
            serde_json::to_writer(&mut text, &findings)?;
            text.push(b'\n');
        }
        DoctorFormat::Text => describe(&findings, &mut text)?,
    }
    match std::io::stdout().write_all(&text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to stdout");
        }
        _ => {}
    }
    Ok(if findings.error.is_some() {
        Ending::Failed
    } else {
        Ending::Done
    })
}

fn examine(policy: &Policy) -> Findings {
    let hierarchies = Hierarchies::find();
    let selection = Compiled::new(&[], false, &Scopes::new(&[], &Networks::default()));
    let attached = load::attach(&Request {
        policy,
        selection: &selection,
        ring_bytes: 1 << 16,
        log_level: 0,
    });
    let (facts, mut degraded, error) = match &attached {
        Ok(attached) => (
            attached.facts.iter().map(finding).collect(),
            attached.degraded(),
            None,
        ),
        Err(error) => (Vec::new(), Vec::new(), Some(format!("{error:#}"))),
    };
    let hidden = namespaces::limits();
    degraded.extend(hidden.iter().cloned());
    Findings {
        version: env!("CARGO_PKG_VERSION"),
        kernel: identity::read().kernel,
        btf: std::path::Path::new("/sys/kernel/btf/vmlinux").exists(),
        lockdown: lockdown(),
        cgroup2: hierarchies.unified().map(|path| path.display().to_string()),
        cgroup1: hierarchies.v1_controller().map(|v1| v1.name.clone()),
        capabilities: privileges::all(),
        facts,
        hidden,
        degraded,
        error,
    }
}

fn finding(outcome: &Outcome) -> Finding {
    let refused = outcome.refused.iter().map(|(rung, why)| Refusal {
        via: rung.via,
        advice: advice(why),
        why: why.clone(),
    });
    Finding {
        fact: outcome.fact.name(),
        via: outcome.used.map(|rung| rung.via),
        refused: refused.collect(),
        cost: match outcome.used {
            Some(rung) => rung.cost,
            None => Some(Fact::loss(outcome.fact)),
        },
    }
}

/// What can be done about a refusal.
fn advice(why: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 4] = [
        (
            "does not permit fe",
            "a kernel that permits BPF trampolines grants it",
        ),
        (
            "no kprobes",
            "a kernel with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS grants it",
        ),
        (
            "no version 2 cgroup",
            "`mount -t cgroup2 none DIRECTORY` makes one",
        ),
        (
            "Operation not permitted",
            "see the capabilities above and the lockdown mode",
        ),
    ];
    ADVICE
        .iter()
        .find(|(part, _)| why.contains(part))
        .map(|(_, advice)| *advice)
}

/// The mode in brackets, e.g. `none [integrity] confidentiality`.
fn lockdown() -> Option<String> {
    let text = std::fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let (_, after) = text.split_once('[')?;
    let (mode, _) = after.split_once(']')?;
    (mode != "none").then(|| mode.to_owned())
}

fn describe(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    let or = |value: &Option<String>, without: &str| value.clone().unwrap_or(without.to_owned());
    writeln!(out, "conntracer   {}", findings.version)?;
    writeln!(out, "kernel       {}", findings.kernel)?;
    let btf = if findings.btf { "yes" } else { "no" };
    writeln!(out, "BTF          {btf}")?;
    let lockdown = or(&findings.lockdown, "not in force, or not to be seen");
    writeln!(out, "lockdown     {lockdown}")?;
    let cgroup2 = or(&findings.cgroup2, "not mounted");
    writeln!(out, "cgroup 2     {cgroup2}")?;
    let cgroup1 = or(&findings.cgroup1, "not in use");
    writeln!(out, "cgroup 1     {cgroup1}")?;
    writeln!(out)?;
    for capability in &findings.capabilities {
        let held = if capability.held { "yes" } else { "no " };
        writeln!(out, "{held} {:<20} {}", capability.name, capability.purpose)?;
    }
    writeln!(out)?;
    if let Some(error) = &findings.error {
        return writeln!(out, "Nothing can be traced: {error}");
    }
    writeln!(out, "{:<10} THROUGH", "FACT")?;
    for finding in &findings.facts {
        describe_fact(finding, out)?;
    }
    for sentence in &findings.hidden {
        writeln!(out, "\n{sentence}")?;
    }
    Ok(())
}

fn describe_fact(finding: &Finding, out: &mut impl Write) -> std::io::Result<()> {
    let via = finding.via.unwrap_or("nothing");
    writeln!(out, "{:<10} {via}", finding.fact)?;
    for refused in &finding.refused {
        writeln!(out, "{:<10}   not {}: {}", "", refused.via, refused.why)?;
        if let Some(advice) = refused.advice {
            writeln!(out, "{:<10}     {advice}", "")?;
        }
    }
    match finding.cost {
        Some(cost) => writeln!(out, "{:<10}   so {cost}", ""),
        None => Ok(()),
    }
}
