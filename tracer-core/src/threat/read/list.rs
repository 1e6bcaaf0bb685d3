//! A list: a value a line, with comments. So are `FireHOL`'s netsets (<https://iplists.firehol.org/>) and
//! Spamhaus' DROP lists as text (<https://www.spamhaus.org/blocklists/do-not-route-or-peer/>).

use super::{
    super::feed::{About, Gathering, Place},
    MOST_BYTES_OF_LINE,
};

/// What the format is called.
const FORMAT: &str = "list";

/// Reads lines behind the first few.
pub fn read(lines: &[&str], behind: usize, gathering: &mut Gathering) -> &'static str {
    for (number, line) in (1..).zip(lines).skip(behind) {
        let place = Place::Line(number);
        if line.len() > MOST_BYTES_OF_LINE {
            gathering.problem(place, || format!("longer than {MOST_BYTES_OF_LINE} bytes"));
            continue;
        }
        let (value, comment) = split(line);
        let value = unquoted(value);
        if value.is_empty() {
            continue;
        }
        let about = About {
            label: comment,
            ..About::default()
        };
        gathering.take(place, value, &about);
    }
    FORMAT
}

/// A value, and the comment behind it, which is what lists say about single values: the number of a
/// listing, the name of a family.
fn split(line: &str) -> (&str, Option<&str>) {
    // URLs have all these marks in them, too: there, a comment has a blank before it.
    let url = line.find("//").unwrap_or(line.len());
    let begins = |at: usize| at < url || line.get(..at).is_some_and(ends_word);
    let marks = line
        .match_indices(['#', ';'])
        .chain(line.match_indices("//"));
    match marks.filter(|(at, _)| begins(*at)).min() {
        Some((at, mark)) => {
            let (value, comment) = line.split_at(at);
            (value, comment.get(mark.len()..))
        }
        None => (line, None),
    }
}

fn ends_word(before: &str) -> bool {
    before.is_empty() || before.ends_with(char::is_whitespace)
}

/// Without blanks, quotes and the comma behind it, as lists have them that were cut out of code.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let value = value.strip_suffix(',').unwrap_or(value).trim_end();
    ['"', '\'', '`']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value)
        .trim()
}
