//! Patterns of STIX
//! (<https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html#_e8slinrhxcc9>): which addresses, names
//! and ports they are about.
//!
//! A pattern becomes alternatives, each an address or a name, perhaps with a port. What is said together
//! with something that is not understood is refused as a whole, for without it the indicator would mean
//! more than the pattern. What is only said beside it, with `OR`, stays.

use super::{
    super::{
        feed::{Kind, cut},
        value,
    },
    token::{Token, tokens},
};

#[cfg(test)]
mod tests;

/// How many alternatives one pattern may have: a list of addresses times a list of ports.
const MOST_ALTERNATIVES: usize = 1 << 16;
/// How deep brackets may be nested.
const DEEPEST: usize = 32;

/// Why a pattern means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It has something in it that is not understood.
    NotSupported(String),
    /// It is no pattern.
    Broken(String),
}

/// What has to be met, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meant {
    pub host: Option<String>,
    pub kind: Kind,
    pub port: Option<u16>,
}

/// Alternatives, and why some are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    pub alternatives: Vec<Meant>,
    pub refused: Vec<String>,
}

impl Meaning {
    fn refused(why: impl Into<String>) -> Self {
        Self {
            alternatives: Vec::new(),
            refused: vec![why.into()],
        }
    }

    fn or(mut self, other: Self) -> Self {
        self.alternatives.extend(other.alternatives);
        self.refused.extend(other.refused);
        self
    }

    fn and(self, other: Self) -> Self {
        let mut both = Self {
            alternatives: Vec::new(),
            refused: self.refused,
        };
        both.refused.extend(other.refused);
        let product = self
            .alternatives
            .len()
            .saturating_mul(other.alternatives.len());
        if product > MOST_ALTERNATIVES {
            both.refused.push("too many alternatives".into());
            return both;
        }
        for one in &self.alternatives {
            for more in &other.alternatives {
                match one.with(more) {
                    Ok(meant) => both.alternatives.push(meant),
                    Err(why) if both.refused.last().is_some_and(|last| last == why) => {}
                    Err(why) => both.refused.push(why.into()),
                }
            }
        }
        both
    }
}

impl Meant {
    fn with(&self, other: &Self) -> Result<Self, &'static str> {
        let kind = match (self.kind, other.kind) {
            (Kind::Any, kind) | (kind, Kind::Any) => kind,
            (one, other) if one == other => one,
            _ => return Err("an address that is a name"),
        };
        if self.host.is_some() && other.host.is_some() {
            return Err("two addresses or names at once");
        }
        if self.port.is_some() && other.port.is_some() {
            return Err("two ports at once");
        }
        Ok(Self {
            host: self.host.clone().or_else(|| other.host.clone()),
            kind,
            port: self.port.or(other.port),
        })
    }
}

/// What a pattern means.
pub fn read(pattern: &str) -> Result<Meaning, Error> {
    let mut parser = Parser {
        tokens: tokens(pattern).map_err(Error::Broken)?,
        at: 0,
        depth: 0,
    };
    let meaning = parser.observations()?;
    match parser.next() {
        None => Ok(meaning),
        Some(Token::Word(word)) => Err(Error::NotSupported(cut(word))),
        Some(_) => Err(broken("something behind the end")),
    }
}

fn broken(why: &str) -> Error {
    Error::Broken(why.into())
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Goes on if this is what comes next.
    fn eat(&mut self, expected: &Token<'_>) -> bool {
        let is_next = self.tokens.get(self.at) == Some(expected);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, mark: char) -> Result<(), Error> {
        if self.eat(&Token::Mark(mark)) {
            return Ok(());
        }
        // `AND`, `FOLLOWEDBY` and what bounds the time come where something ends.
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => Err(Error::NotSupported(cut(word))),
            _ => Err(Error::Broken(format!("no `{mark}` where one is needed"))),
        }
    }

    /// In brackets, not too deep.
    fn within(
        &mut self,
        closing: char,
        read: impl Fn(&mut Self) -> Result<Meaning, Error>,
    ) -> Result<Meaning, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(broken("brackets are nested too deep"));
        }
        let meaning = read(self)?;
        self.expect(closing)?;
        self.depth -= 1;
        Ok(meaning)
    }

    fn observations(&mut self) -> Result<Meaning, Error> {
        let mut all = self.observation()?;
        while self.eat(&Token::Word("OR")) {
            all = all.or(self.observation()?);
        }
        Ok(all)
    }

    fn observation(&mut self) -> Result<Meaning, Error> {
        match self.next() {
            Some(Token::Mark('[')) => self.within(']', Self::comparisons),
            Some(Token::Mark('(')) => self.within(')', Self::observations),
            _ => Err(broken("no `[` where one is needed")),
        }
    }

    fn comparisons(&mut self) -> Result<Meaning, Error> {
        let mut all = self.together()?;
        while self.eat(&Token::Word("OR")) {
            all = all.or(self.together()?);
        }
        Ok(all)
    }

    fn together(&mut self) -> Result<Meaning, Error> {
        let mut all = self.comparison()?;
        while self.eat(&Token::Word("AND")) {
            all = all.and(self.comparison()?);
        }
        Ok(all)
    }

    fn comparison(&mut self) -> Result<Meaning, Error> {
        if self.eat(&Token::Mark('(')) {
            return self.within(')', Self::comparisons);
        }
        let Some(Token::Word(path)) = self.next() else {
            return Err(broken("no path where one is needed"));
        };
        let is_negated = self.eat(&Token::Word("NOT"));
        let Some(Token::Operator(operator) | Token::Word(operator)) = self.next() else {
            return Err(broken("no operator where one is needed"));
        };
        let values = self.values()?;
        if is_negated {
            return Ok(Meaning::refused("NOT"));
        }
        Ok(meaning(path, operator, values))
    }

    /// One, or several in brackets.
    fn values(&mut self) -> Result<Vec<String>, Error> {
        if !self.eat(&Token::Mark('(')) {
            return Ok(vec![self.value()?]);
        }
        let mut values = vec![self.value()?];
        while self.eat(&Token::Mark(',')) {
            values.push(self.value()?);
        }
        self.expect(')')?;
        Ok(values)
    }

    fn value(&mut self) -> Result<String, Error> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            Some(Token::Word(word)) => Ok(word.to_owned()),
            _ => Err(broken("no value where one is needed")),
        }
    }
}

/// What one comparison means.
fn meaning(path: &str, operator: &str, values: Vec<String>) -> Meaning {
    let is_equal = matches!(operator, "=" | "IN");
    let is_within = is_equal || operator == "ISSUBSET";
    match path {
        "ipv4-addr:value" | "ipv6-addr:value" if is_within => hosts(Kind::Address, values),
        "domain-name:value" if is_equal => hosts(Kind::Domain, values),
        "network-traffic:dst_ref.value" if is_within => hosts(Kind::Any, values),
        "network-traffic:dst_port" if is_equal => ports(&values),
        "network-traffic:dst_ref.type" if is_equal => kinds(&values),
        _ => Meaning::refused(cut(&format!("{path} {operator}"))),
    }
}

fn hosts(kind: Kind, values: Vec<String>) -> Meaning {
    let meant = values.into_iter().map(|host| Meant {
        host: Some(host),
        kind,
        port: None,
    });
    Meaning {
        alternatives: meant.collect(),
        refused: Vec::new(),
    }
}

fn ports(values: &[String]) -> Meaning {
    let mut all = Meaning::default();
    for text in values {
        match value::port(text) {
            Ok(port) => all.alternatives.push(Meant {
                port: Some(port),
                ..Meant::default()
            }),
            Err(why) => all.refused.push(why),
        }
    }
    all
}

fn kinds(values: &[String]) -> Meaning {
    let mut all = Meaning::default();
    for text in values {
        let kind = match text.as_str() {
            "ipv4-addr" | "ipv6-addr" => Kind::Address,
            "domain-name" => Kind::Domain,
            other => {
                all.refused.push(cut(&format!("dst_ref.type {other}")));
                continue;
            }
        };
        all.alternatives.push(Meant {
            kind,
            ..Meant::default()
        });
    }
    all
}
