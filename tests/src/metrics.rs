//! Reads `OpenMetrics`, more strictly than those who scrape it.

use std::collections::{BTreeMap, BTreeSet};

/// What a page of `OpenMetrics` says: `name{label="value",…}` → value.
///
/// # Panics
/// If it is none: each family has a help, then a type, then a unit if its name ends with one, then its samples, named as
/// its type wants it, none twice; and `# EOF` is the end.
pub fn read(page: &str) -> BTreeMap<String, f64> {
    let mut reader = Reader::default();
    let lines = page
        .strip_suffix("# EOF\n")
        .unwrap_or_else(|| panic!("it has no end: {page}"));
    for line in lines.lines() {
        reader
            .line(line)
            .unwrap_or_else(|| panic!("`{line}` of {page}"));
    }
    reader.samples
}

#[derive(Default)]
struct Reader {
    families: BTreeSet<String>,
    family: String,
    kind: String,
    samples: BTreeMap<String, f64>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ')?;
            let is_good =
                is_name(name) && text.ends_with('.') && self.families.insert(name.to_owned());
            name.clone_into(&mut self.family);
            self.kind.clear();
            return is_good.then_some(());
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ')?;
            let is_new = self.kind.is_empty() && name == self.family;
            kind.clone_into(&mut self.kind);
            return (is_new && matches!(kind, "counter" | "gauge" | "info")).then_some(());
        }
        if let Some(unit) = line.strip_prefix("# UNIT ") {
            let (name, unit) = unit.split_once(' ')?;
            let is_named = name == self.family && name.ends_with(&format!("_{unit}"));
            return is_named.then_some(());
        }
        self.sample(line)
    }

    fn sample(&mut self, line: &str) -> Option<()> {
        let (sample, value) = line.rsplit_once(' ')?;
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let ending = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "gauge" => "",
            _ => return None,
        };
        let labels = labels.strip_suffix('}')?;
        let are_labels = labels.is_empty() || labels.split(',').all(is_label);
        let value: f64 = value.parse().ok()?;
        let is_good = name.strip_prefix(&*self.family)? == ending
            && are_labels
            && value.is_finite()
            && value >= 0.0;
        let is_new = self.samples.insert(sample.to_owned(), value).is_none();
        (is_good && is_new).then_some(())
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with("conntracer_") && name.chars().all(is_part)
}

/// None of ours has a value in which anything would have to be escaped.
fn is_label(label: &str) -> bool {
    let value = |label: &str| {
        let (name, value) = label.split_once("=\"")?;
        let value = value.strip_suffix('"')?;
        Some(!name.is_empty() && !value.contains(['"', '\\', ',']))
    };
    value(label).unwrap_or(false)
}
