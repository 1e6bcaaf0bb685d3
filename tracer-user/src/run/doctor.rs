//! `conntracer doctor`: what this kernel allows. It attaches each hook for a moment and takes it
//! away again; nothing of the host is changed. What the self-test makes is in a network namespace
//! that ends with it.

use std::io::Write;

use serde::Serialize;
use tracer_core::{fact::Networks, scope::Scopes, select::Compiled};

use super::{
    Ending,
    self_test::{self, Verdict},
};
use crate::{
    cli::{DoctorArgs, DoctorFormat},
    host::{cgroups::Hierarchies, identity, namespaces},
    kernel::{
        ladder::Fact,
        load::{self, Outcome, Request},
        policy::Policy,
    },
    output::{stdout, terminal},
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
    /// What the self-test found; absent: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<Vec<self_test::Finding>>,
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
    let mut findings = examine(&args.hooks);
    let mut text = Vec::new();
    if args.output == DoctorFormat::Text {
        describe(&findings, &mut text)?;
        show(&mut text)?;
    }
    if args.self_test && findings.error.is_none() {
        findings.self_test = Some(self_test::run(&args.hooks)?);
    }
    match (args.output, &findings.self_test) {
        (DoctorFormat::Json, _) => {
            serde_json::to_writer(&mut text, &findings)?;
            text.push(b'\n');
        }
        (DoctorFormat::Text, Some(found)) => {
            writeln!(text)?;
            self_test::describe(found, terminal::width(), &mut text)?;
        }
        (DoctorFormat::Text, None) => {}
    }
    show(&mut text)?;
    let tested = findings.self_test.as_deref().unwrap_or_default();
    Ok(ending(findings.error.is_some(), tested))
}

/// Writes what there is to be read by now.
fn show(text: &mut Vec<u8>) -> anyhow::Result<()> {
    let written = stdout::put(text);
    text.clear();
    written
}

/// It fails where the self-test missed something, and where nothing could be tested, for then nothing is
/// proved.
fn ending(has_failed: bool, tested: &[self_test::Finding]) -> Ending {
    let has = |verdict| tested.iter().any(|found| found.verdict == verdict);
    let is_proved = !has(Verdict::Missed) && (tested.is_empty() || has(Verdict::Reported));
    if has_failed || !is_proved {
        Ending::Failed
    } else {
        Ending::Done
    }
}

fn examine(policy: &Policy) -> Findings {
    let hierarchies = Hierarchies::find();
    let selection = Compiled::new(&[], false, &Scopes::new(&[], &Networks::default()));
    let facts: Vec<Fact> = Fact::every().collect();
    let attached = load::attach(&Request {
        facts: &facts,
        policy,
        selection: &selection,
        ring_bytes: 1 << 16,
        update_ms: 0,
        idle_ms: 0,
        states: false,
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
        self_test: None,
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

#[cfg(test)]
mod tests {
    use super::{
        Verdict::{Missed, Reported, Untested},
        *,
    };

    #[test]
    fn the_ending_says_what_the_self_test_proved() {
        let of = |verdicts: &[Verdict]| {
            let mut tested = self_test::all_untested("why");
            tested.truncate(verdicts.len());
            for (one, verdict) in tested.iter_mut().zip(verdicts) {
                one.verdict = *verdict;
            }
            ending(false, &tested)
        };
        assert_eq!(of(&[]), Ending::Done);
        assert_eq!(of(&[Reported, Reported]), Ending::Done);
        assert_eq!(of(&[Reported, Untested]), Ending::Done);
        assert_eq!(of(&[Untested, Untested]), Ending::Failed);
        assert_eq!(of(&[Reported, Missed]), Ending::Failed);
        assert_eq!(of(&[Untested, Missed]), Ending::Failed);
        assert_eq!(ending(true, &[]), Ending::Failed);
    }
}
