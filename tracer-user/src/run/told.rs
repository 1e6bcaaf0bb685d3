//! What is said on stderr of a run beside its records: loss in any case; hooks, rules and totals with `-v`.

use std::collections::BTreeMap;

use tracer_core::{
    record::{Filter, Loss, OutputTotals, Record, ScopeRule, Start, Stop, Word},
    text::printable,
    totals::Totals,
};
use tracing::{error, info};

use super::LOSS;

/// What was said of a run so far.
#[derive(Debug, Default)]
pub struct Told {
    /// Category → what was lost by now.
    lost: BTreeMap<Word, u64>,
}

impl Told {
    /// Says what these records have to say to people.
    pub fn records(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Start(start) => begin(start),
                Record::Loss(loss) => self.loss(loss),
                Record::Stop(stop) => end(stop),
                Record::Connection(_) | Record::Socket(_) | Record::Discovery(_) => {}
            }
        }
    }

    /// Says what it comes to by now. What the kernel has counted and nobody has received yet is no loss.
    pub fn totals(&self, totals: &Totals) {
        let kernel = totals.kernel();
        let text = sum(
            kernel.seen,
            kernel.selected_out,
            &totals.output(),
            &self.lost,
        );
        info!("{text}");
    }

    /// Each kind of loss is said when it begins, with what can be done; how much it was, at the end.
    fn loss(&mut self, loss: &Loss) {
        for (category, count) in &loss.lost {
            let known = self.lost.entry(category.clone()).or_insert_with(|| {
                error!(target: LOSS, "records are being lost: {category}: {}", why(category));
                0
            });
            *known = known.saturating_add(*count);
        }
        for hook in &loss.detached {
            error!(target: LOSS, "taken away: {}", printable(&hook.to_string()));
        }
    }
}

/// By which hooks, which rules, and of what.
fn begin(start: &Start) {
    for hook in &start.hooks {
        info!("{} through {}", printable(&hook.name), printable(&hook.via));
    }
    info!("{}", selected(&start.filter));
    for rule in &start.external_rules {
        info!("{}", addresses(rule));
    }
}

/// What it came to.
fn end(stop: &Stop) {
    let (kernel, lost) = (&stop.kernel, &stop.kernel.lost);
    if !lost.is_empty() {
        error!(target: LOSS, "records were lost: {}", counts(lost));
    }
    info!(
        "{}",
        sum(kernel.seen, kernel.selected_out, &stop.output, lost)
    );
}

fn sum(seen: u64, selected_out: u64, output: &OutputTotals, lost: &BTreeMap<Word, u64>) -> String {
    let lost = if lost.is_empty() {
        "nothing lost".to_owned()
    } else {
        format!("lost: {}", counts(lost))
    };
    format!(
        "{seen} seen, {selected_out} selected out in the kernel, {} selected out here, {} records; {lost}",
        output.suppressed, output.written
    )
}

fn counts(lost: &BTreeMap<Word, u64>) -> String {
    let counts = lost.iter();
    let counts: Vec<String> = counts
        .map(|(category, count)| format!("{count} {category}"))
        .collect();
    counts.join(", ")
}

/// What was asked for, and which of it the kernel decides.
fn selected(filter: &Filter) -> String {
    let flags = filter.connections.iter().chain(&filter.records);
    let flags = flags.map(|(flag, values)| {
        let here = if filter.in_kernel.contains(flag) {
            " (in the kernel)"
        } else {
            ""
        };
        let values = printable(&values.join(","));
        format!("{flag} {values}").trim_end().to_owned() + here
    });
    let flags: Vec<String> = flags.collect();
    if flags.is_empty() {
        return "selected: everything".to_owned();
    }
    format!("selected: {} of {}", filter.combination, flags.join("; "))
}

/// Which addresses are of which kind.
fn addresses(rule: &ScopeRule) -> String {
    let networks = match rule.networks.as_slice() {
        [] => "what is left".to_owned(),
        networks => networks.join(","),
    };
    format!("{}: {networks} ({})", rule.scope.word(), rule.from)
}

/// Why records are lost, and what can be done.
fn why(category: &str) -> &'static str {
    match category {
        "ring_full" => {
            "events come faster than they are read; a larger --buffer or a narrower selection helps"
        }
        "output" => "whoever reads the output is too slow; a file or a narrower selection helps",
        "map_full" => "there are more sockets than can be remembered",
        "hook_missed" => "the kernel skipped a hook",
        "hook_detached" => "somebody has taken a hook away",
        _ => "less is known of who did what",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_a_sentence() {
        let output = OutputTotals {
            suppressed: 3,
            written: 5,
            ..OutputTotals::default()
        };
        assert_eq!(
            sum(10, 2, &output, &BTreeMap::new()),
            "10 seen, 2 selected out in the kernel, 3 selected out here, 5 records; nothing lost"
        );
        let lost = BTreeMap::from([("ring_full".into(), 7), ("output".into(), 1)]);
        assert!(sum(10, 2, &output, &lost).ends_with("5 records; lost: 1 output, 7 ring_full"));
    }

    #[test]
    fn a_selection_says_what_the_kernel_decides() {
        let filter = Filter {
            combination: "all".into(),
            connections: BTreeMap::from([
                ("port".to_owned(), vec!["443".to_owned(), "80".to_owned()]),
                ("process".to_owned(), vec!["\u{1b}[2J".to_owned()]),
                ("external".to_owned(), Vec::new()),
            ]),
            records: BTreeMap::new(),
            in_kernel: vec!["port".to_owned(), "external".to_owned()],
        };
        assert_eq!(
            selected(&filter),
            "selected: all of external (in the kernel); port 443,80 (in the kernel); process \\u{1b}[2J"
        );
        assert_eq!(selected(&Filter::default()), "selected: everything");
    }
}
