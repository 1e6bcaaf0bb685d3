//! Arguments of processes without what must stay secret: passwords, tokens, keys.
//!
//! Nobody can tell a secret that does not look like one, so this makes a leak unlikely, not impossible. When in
//! doubt something is left out that was none.

mod record;
mod rules;

use regex_lite::Regex;
use serde::Deserialize;

pub use self::record::Redaction;
use self::rules::{Next, Rules};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// What is shown of the arguments of processes.
#[derive(Clone, Debug)]
pub enum Arguments {
    /// All.
    Full,
    /// All but secrets.
    Redacted(Box<Redactor>),
    /// None.
    None,
}

impl Arguments {
    /// What is shown of these; `None`: nothing.
    #[must_use]
    pub fn of(&self, args: &[String]) -> Option<Vec<String>> {
        match self {
            Self::Full => Some(args.to_vec()),
            Self::Redacted(redactor) => Some(redactor.redact(args)),
            Self::None => None,
        }
    }

    /// The word of the contract.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted(_) => "redacted",
            Self::None => "none",
        }
    }
}

/// A regular expression for secrets that the user declares: its first group, or else all that it matches.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = regex_lite::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Regex::new(&text).map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    fn redact(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = 0;
        for found in self.0.captures_iter(text) {
            let secret = found.get(1).or_else(|| found.get(0));
            // An empty match hides nothing.
            if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
                out.push_str(text.get(rest..secret.start()).unwrap_or_default());
                out.push_str(REDACTED);
                rest = secret.end();
            }
        }
        out.push_str(text.get(rest..).unwrap_or_default());
        out
    }
}

/// Finds secrets among arguments, by rules of its own and by what the user declared.
#[derive(Clone, Debug)]
pub struct Redactor {
    rules: Rules,
    patterns: Vec<Pattern>,
}

impl Redactor {
    /// With `names` of secrets beside the known ones (a part of a name is enough), and patterns.
    ///
    /// # Errors
    /// If there are so many names that no expression can be made of them.
    pub fn new(names: &[String], patterns: Vec<Pattern>) -> Result<Self, regex_lite::Error> {
        Ok(Self {
            rules: Rules::new(names)?,
            patterns,
        })
    }

    /// As many arguments, with [`REDACTED`] in the place of secrets.
    #[must_use]
    pub fn redact(&self, args: &[String]) -> Vec<String> {
        let program = args.first().map_or("", String::as_str);
        let mut next = Next::Ordinary;
        let mut redacted = Vec::with_capacity(args.len());
        for arg in args {
            let one = match next {
                Next::Ordinary => self.rules.within(arg),
                Next::Account => self.rules.account(arg),
                Next::Secret => REDACTED.to_owned(),
            };
            next = self.rules.next(program, arg);
            redacted.push(self.declared(one));
        }
        redacted
    }

    fn declared(&self, arg: String) -> String {
        self.patterns
            .iter()
            .fold(arg, |arg, pattern| pattern.redact(&arg))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor() -> Redactor {
        let patterns = vec![
            Pattern::try_from("case-([0-9]+)".to_owned()).unwrap(),
            Pattern::try_from("AC[0-9a-f]{8}".to_owned()).unwrap(),
        ];
        Redactor::new(&["pin".to_owned()], patterns).unwrap()
    }

    fn redacted(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        redactor().redact(&args).join(" ")
    }

    #[test]
    fn secrets_are_replaced_and_the_rest_stays() {
        for (args, expected) in [
            (
                &["curl", "-s", "https://a.example/x"][..],
                "curl -s https://a.example/x",
            ),
            (
                &["psql", "--password=x y", "db"],
                "psql --password=[redacted] db",
            ),
            (
                &["tool", "--api-key", "-x", "go"],
                "tool --api-key [redacted] go",
            ),
            (&["mysql", "-uroot", "-p1234"], "mysql -uroot -p[redacted]"),
            (&["ssh", "-p", "22", "h"], "ssh -p 22 h"),
            (
                &["/usr/bin/sshpass", "-p", "x", "ssh"],
                "/usr/bin/sshpass -p [redacted] ssh",
            ),
            (&["redis-cli", "-a", "x"], "redis-cli -a [redacted]"),
            (&["curl", "-u", "me:x"], "curl -u me:[redacted]"),
            (&["curl", "-ume:x"], "curl -ume:[redacted]"),
            (&["curl", "--user=me:x"], "curl --user=me:[redacted]"),
            (
                &["git", "clone", "https://me:p@ss@h/r"],
                "git clone https://me:[redacted]@h/r",
            ),
            (
                &["env", "AWS_SECRET_ACCESS_KEY=x", "aws"],
                "env AWS_SECRET_ACCESS_KEY=[redacted] aws",
            ),
            (
                &["docker", "-e", "DB_PASS=x"],
                "docker -e DB_PASS=[redacted]",
            ),
            (
                &["curl", "-H", "Authorization: Bearer x.y"],
                "curl -H Authorization: [redacted]",
            ),
            (
                &["x", "Authorization:", "Bearer", "abc"],
                "x Authorization: [redacted] [redacted]",
            ),
            (
                &["curl", "-HX-Note: bearer abc"],
                "curl -HX-Note: bearer [redacted]",
            ),
            (
                &["sh", "-c", "a --token x; b -pq && c"],
                "sh -c a --token [redacted]; b -p[redacted] && c",
            ),
            (
                &["curl", "-d", "{\"password\": \"a b\", \"x\": 1}"],
                "curl -d {\"password\": [redacted], \"x\": 1}",
            ),
            (
                &["curl", "https://h/?a=1&token=x&b=2"],
                "curl https://h/?a=1&token=[redacted]&b=2",
            ),
            (
                &["kubectl", "get", "secret", "web"],
                "kubectl get secret web",
            ),
            (&["x", "AKIAABCDEFGHIJKLMNOP"], "x [redacted]"),
            (&["x", "--pin", "7"], "x --pin [redacted]"),
            (
                &["x", "case-77", "AC01234567!"],
                "x case-[redacted] [redacted]!",
            ),
            (&["ls", "größe", ""], "ls größe "),
        ] {
            assert_eq!(redacted(args), expected, "{args:?}");
        }
    }

    /// Where the secret `§` stands, and what is around it.
    const FORMS: &[&[&str]] = &[
        &["--password=§"],
        &["--password", "§"],
        &["-p§"],
        &["--db.Password=§"],
        &["--client-secret", "§"],
        &["AWS_SECRET_ACCESS_KEY=§"],
        &["--env=GITHUB_TOKEN=§"],
        &["-H", "Authorization: Bearer §"],
        &["-H", "X-Api-Key:§"],
        &["postgres://me:§@db.example/x"],
        &["sh -c 'curl --token § https://a.example'"],
        &["{\"passphrase\":\"§\"}"],
        &["--pin", "§"],
    ];

    proptest! {
        #[test]
        fn never_panics_and_keeps_their_number(
            args in proptest::collection::vec(".*|[-=: a-zA-Z\"'@/]*(password|token|Bearer|-p|-u)[-=: \"'@/a-z]*", 0..8),
        ) {
            let redacted = redactor().redact(&args);
            prop_assert_eq!(redacted.len(), args.len());
        }

        #[test]
        fn lets_no_marked_secret_through(
            form in 0..FORMS.len(),
            secret in "[A-Za-z0-9+_.~!%^*-]{4,20}",
            before in proptest::collection::vec("[a-z/.-]{0,8}", 0..4),
            after in proptest::collection::vec("[a-z/.=-]{0,8}", 0..4),
        ) {
            let marked = format!("Q7{secret}7Q");
            let form = FORMS[form].iter().map(|arg| arg.replace('§', &marked));
            let args: Vec<String> = before.into_iter().chain(form).chain(after).collect();
            let redacted = redactor().redact(&args).join(" ");
            prop_assert!(!redacted.contains(&marked), "{redacted}");
        }
    }
}
