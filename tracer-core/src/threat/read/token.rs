//! The words of a pattern of STIX.

/// A word, or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// One of `[`, `]`, `(`, `)` and `,`.
    Mark(char),
    /// `=`, `!=` and the like.
    Operator(&'a str),
    /// What is in quotes.
    Text(String),
    /// A path, a keyword or a number.
    Word(&'a str),
}

/// The words of a pattern.
pub fn tokens(pattern: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = pattern.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, behind) = match c {
            '[' | ']' | '(' | ')' | ',' => (Token::Mark(c), rest.get(1..).unwrap_or_default()),
            '=' | '!' | '<' | '>' => {
                let end = rest.find(|c| !matches!(c, '=' | '!' | '<' | '>'));
                let (operator, behind) = rest.split_at(end.unwrap_or(rest.len()));
                (Token::Operator(operator), behind)
            }
            '\'' => {
                let (text, behind) = quoted(rest.get(1..).unwrap_or_default())?;
                (Token::Text(text), behind)
            }
            _ => {
                let (word, behind) = rest.split_at(end_of_word(rest)?);
                (Token::Word(word), behind)
            }
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

/// A text up to its quote; `\` takes the character behind it as it is.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut plain = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((plain, text.get(at + 1..).unwrap_or_default())),
            '\\' => plain.extend(chars.next().map(|(_, c)| c)),
            c => plain.push(c),
        }
    }
    Err("a quote is not closed".into())
}

/// Where a word ends. In a path, brackets hold an index, and a part may be in quotes:
/// `file:hashes.'SHA-256'`, `protocols[*]`.
fn end_of_word(text: &str) -> Result<usize, String> {
    let mut before = ' ';
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let closing = match c {
            '[' => ']',
            '\'' if before == '.' => '\'',
            c if c.is_whitespace() => return Ok(at),
            ']' | '(' | ')' | ',' | '=' | '!' | '<' | '>' | '\'' => return Ok(at),
            _ => {
                before = c;
                continue;
            }
        };
        if !chars.any(|(_, c)| c == closing) {
            return Err(format!("`{c}` in a path is not closed"));
        }
        before = closing;
    }
    Ok(text.len())
}
