//! What was found of each kind, for people.

use std::io::Write;

use super::verdict::{Finding, Verdict};

/// Columns of the kinds and the verdicts, with what is between.
const KIND_WIDTH: usize = 17;
const VERDICT_WIDTH: usize = 9;

/// What it means that a kind is reported, below the table.
const LEGEND: &str = "Reported: these records came and no others, in this order, each with the right \
    process and at the end the exact bytes; what several sockets have is separated by semicolons. All \
    of it was made in a network namespace that is gone now.";

/// Writes the table, so wide at most.
pub fn describe(findings: &[Finding], width: usize, out: &mut impl Write) -> std::io::Result<()> {
    line(["SELF-TEST", "VERDICT", "WHY"], width, out)?;
    for finding in findings {
        let columns = [finding.kind.title(), finding.verdict.word(), &finding.why];
        line(columns, width, out)?;
    }
    writeln!(out)?;
    let count = |verdict: Verdict| {
        let of_verdict = findings.iter().filter(|one| one.verdict == verdict);
        format!("{} {}", of_verdict.count(), verdict.word())
    };
    let counts = [Verdict::Reported, Verdict::Missed, Verdict::Untested].map(count);
    writeln!(out, "{}.", counts.join(", "))?;
    if findings.iter().all(|one| one.verdict != Verdict::Reported) {
        return Ok(());
    }
    writeln!(out, "{}", wrapped(LEGEND, width).join("\n"))
}

fn line(columns: [&str; 3], width: usize, out: &mut impl Write) -> std::io::Result<()> {
    let [kind, verdict, why] = columns;
    let before = KIND_WIDTH + VERDICT_WIDTH;
    write!(out, "{kind:KIND_WIDTH$}{verdict:VERDICT_WIDTH$}")?;
    let lines = wrapped(why, width.saturating_sub(before));
    writeln!(out, "{}", lines.join(&format!("\n{:before$}", "")))
}

/// A text in lines of so many characters, where its words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::verdict::all_untested, *};

    #[test]
    fn a_line_is_no_wider_than_the_terminal() {
        let why = "inbound: no accept came within 10 s; expected accept, close, came close";
        let mut text = Vec::new();
        describe(&all_untested(why), 80, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        let first: Vec<&str> = text.lines().skip(1).take(2).collect();
        assert_eq!(
            first,
            [
                "TCP over IPv4    untested inbound: no accept came within 10 s; expected accept,",
                "                          close, came close"
            ]
        );
        assert!(
            text.contains("\n0 reported, 0 missed, 13 untested.\n"),
            "{text}"
        );
    }

    #[test]
    fn a_word_that_does_not_fit_has_a_line_of_its_own() {
        assert_eq!(wrapped("a bc def", 2), ["a", "bc", "def"]);
        assert_eq!(wrapped("a bc def", 0), ["a", "bc", "def"]);
        assert_eq!(wrapped("a bc def", 80), ["a bc def"]);
    }
}
