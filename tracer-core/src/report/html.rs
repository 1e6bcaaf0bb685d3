//! Text and data in a page, where nothing that a traced process chose is anything but text.

use serde::Serialize;

use crate::text::printable;

/// Text as it stands in an element or an attribute. What would reorder or hide it is shown as an escape.
pub fn text(text: &str) -> String {
    let text = printable(text);
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Data as JSON in a `script` element: nothing in it can end the element, or begin a comment.
pub fn data(data: &impl Serialize) -> String {
    // What is shown is made of texts, numbers and lists, which can always be said in JSON.
    let json = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    safe
}

/// A number with its thousands apart.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut apart = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// So many of something.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As hostile as a name can be.
    const NAME: &str = "</script><img src=x onerror=alert(1)>\u{2028}\u{202e}\"'&<!--";

    #[test]
    fn no_name_is_markup() {
        let safe = text(NAME);
        assert!(
            !safe.contains(['<', '>', '"', '\'', '\u{2028}', '\u{202e}']),
            "{safe}"
        );
        assert!(safe.starts_with("&lt;/script&gt;&lt;img src=x"), "{safe}");
        assert!(
            safe.ends_with("\\u{2028}\\u{202e}&quot;&#39;&amp;&lt;!--"),
            "{safe}"
        );
    }

    #[test]
    fn no_name_ends_the_data() {
        let safe = data(&[NAME]);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        let back: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, [NAME]);
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(counted(1, "host"), "1 host");
        assert_eq!(counted(1_234_567, "host"), "1,234,567 hosts");
    }
}
