//! The words of a message, one after the other.

use crate::logs::Unreadable;

/// The longest name of a user that is looked for: no more is read again and again of a broken line.
const GROUP_MAX: usize = 512;

/// What is still to be read of a text.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// All that is still to be read.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Passes over a word, if it is the next.
    pub fn take(&mut self, word: &str) -> bool {
        let next = self.rest.trim_start().strip_prefix(word);
        let is_whole = |rest: &&str| rest.is_empty() || rest.starts_with(char::is_whitespace);
        let Some(rest) = next.filter(is_whole) else {
            return false;
        };
        self.rest = rest;
        true
    }

    /// Passes over a word that has to be the next.
    pub fn expect(&mut self, word: &str) -> Result<(), Unreadable> {
        let is_next = self.take(word);
        is_next.then_some(()).ok_or_else(|| missing(word))
    }

    /// What is before a separator, which is passed over.
    pub fn until(&mut self, separator: &str) -> Result<&'a str, Unreadable> {
        let found = self.rest.split_once(separator);
        let (before, rest) = found.ok_or_else(|| missing(separator.trim()))?;
        self.rest = rest;
        Ok(before)
    }

    /// The next word: up to a space, or to what is in parentheses.
    pub fn word(&mut self) -> Result<&'a str, Unreadable> {
        let text = self.rest.trim_start();
        let is_end = |character: char| character.is_whitespace() || character == '(';
        let end = text.find(is_end).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if word.is_empty() {
            return Err(Unreadable::new("ends too early"));
        }
        self.rest = rest;
        Ok(word)
    }

    /// What is in the parentheses that come next. Names of users may have some as well.
    pub fn group(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start().strip_prefix('(')?;
        let end = closing(text).or_else(|| text.find(')'))?;
        let (group, rest) = text.split_at(end);
        self.rest = rest.strip_prefix(')')?;
        Some(group)
    }
}

/// Where the parenthesis is that closes one before `text`. Nowhere: more are opened than closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    text.bytes().take(GROUP_MAX).position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

fn missing(word: &str) -> Unreadable {
    Unreadable(format!("`{word}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_groups() {
        let mut cursor = Cursor::new("a  to b(LOCAL\\x (y))(z (open) end");
        assert_eq!(cursor.word().unwrap(), "a");
        assert!(!cursor.take("t"), "it is not the whole word");
        assert!(cursor.expect("from").is_err());
        cursor.expect("to").unwrap();
        assert_eq!(cursor.word().unwrap(), "b");
        assert_eq!(cursor.group(), Some("LOCAL\\x (y)"));
        assert_eq!(cursor.group(), Some("z (open"));
        assert_eq!(cursor.group(), None);
        assert_eq!(cursor.until("end").unwrap(), " ");
        assert!(cursor.word().is_err() && cursor.rest().is_empty());
    }
}
