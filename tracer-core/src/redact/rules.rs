//! What secrets look like.

use regex_lite::{Captures, Regex};

use super::REDACTED;

/// What is in the name of a secret, wherever it stands in the name.
const WITHIN: &str = "password|passwd|passphrase|passcode|secret|token|api[-_.]?key|access[-_.]?key|\
    private[-_.]?key|auth[-_.]?key|credential|authorization|cookie";
/// What is such a name by itself, or the last part of one.
const ENDING: &str = "pass|pwd|pw";
/// A value in a text: in quotes, or up to what ends a word, a field or a command.
const VALUE: &str = r#"(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s&;,"'<>|]+)"#;
/// What comes before the value that authorizes.
const SCHEME: &str = r"(?:(?:bearer|basic|digest|token)\s+)?";
/// What nothing else looks like: keys of AWS, tokens of GitHub, GitLab and Slack, JSON web tokens, private keys.
const SHAPES: &str = r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[0-9A-Za-z]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{10,}|\bxox[a-z]-[\w-]{10,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*)";
/// Programs whose flag of one letter is followed by a password.
const ASKING: [(&str, &str); 2] = [("sshpass", "-p"), ("redis-cli", "-a")];
/// Flags that are followed by `name:password`.
const ACCOUNTS: [&str; 5] = ["-u", "-U", "--user", "--proxy-user", "--http-user"];

/// What an argument says of the one behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Ordinary,
    /// It is a name and a password.
    Account,
    /// It is a secret.
    Secret,
}

/// The rules, for all of which upper and lower case are the same.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The next argument is a secret.
    asks: Regex,
    /// All that follows in this argument is one.
    assigns: Regex,
    /// Parts of an argument: what comes before a secret, the secret, what comes behind it.
    parts: Vec<Regex>,
    /// An argument that is a name and a password.
    account: Regex,
}

impl Rules {
    /// With more names of secrets.
    pub fn new(names: &[String]) -> Result<Self, regex_lite::Error> {
        let own = names
            .iter()
            .filter(|name| !name.is_empty())
            .fold(String::new(), |all, name| {
                all + "|" + &regex_lite::escape(name)
            });
        let key = format!(r"(?:[\w.-]*(?:{WITHIN}{own})[\w.-]*|(?:[\w.-]*[-_.])?(?:{ENDING}))");
        let parts = [
            // `NAME=VALUE`, `"NAME": "VALUE"`
            format!(r#"(?i)(\b{key}["']?\s*[:=]\s*)({SCHEME}{VALUE})()"#),
            // `--NAME VALUE`, in a command that is one argument
            format!(
                r"(?i)((?:^|[\s'{QUOTE}])--?{key}\s+)({VALUE})()",
                QUOTE = '"'
            ),
            r"(?i)(\b(?:bearer|basic)\s+)([\w.~+/=!%^*-]+)()".to_owned(),
            r#"((?:^|[\s'"])-p)([^\s'"]+)()"#.to_owned(),
            r"([A-Za-z][\w+.-]*://[^\s/:@]*:)([^\s/]+)(@)".to_owned(),
            r"(?i)((?:^|\s)(?:-u|--user=|--proxy-user=)[^\s:/-][^\s:/]*:)(\S+)()".to_owned(),
            format!("()({SHAPES})()"),
        ];
        Ok(Self {
            asks: Regex::new(&format!(
                r"(?i)(?:^--?{key}|^{key}\s*[:=]|\b(?:bearer|basic))\s*$"
            ))?,
            assigns: Regex::new(&format!(
                r"(?is)^((?:--?[\w-]+=)?-{{0,2}}{key}\s*[:=]\s*)\S.*$"
            ))?,
            parts: parts
                .iter()
                .map(|part| Regex::new(part))
                .collect::<Result<_, _>>()?,
            account: Regex::new(r"(?s)^([^:]*:).+$")?,
        })
    }

    /// What an argument of a program says of the next one.
    pub fn next(&self, program: &str, arg: &str) -> Next {
        let program = program.rsplit('/').next().unwrap_or(program);
        if ASKING.contains(&(program, arg)) || self.asks.is_match(arg) {
            Next::Secret
        } else if ACCOUNTS.contains(&arg) {
            Next::Account
        } else {
            Next::Ordinary
        }
    }

    /// An argument without the secrets in it.
    pub fn within(&self, arg: &str) -> String {
        if let Some(found) = self.assigns.captures(arg) {
            return kept(&found, 1) + REDACTED;
        }
        self.parts.iter().fold(arg.to_owned(), |arg, part| {
            let replaced = |found: &Captures<'_>| kept(found, 1) + REDACTED + &kept(found, 3);
            part.replace_all(&arg, replaced).into_owned()
        })
    }

    /// A name and a password without the password.
    pub fn account(&self, arg: &str) -> String {
        match self.account.captures(arg) {
            Some(found) => kept(&found, 1) + REDACTED,
            None => self.within(arg),
        }
    }
}

fn kept(found: &Captures<'_>, group: usize) -> String {
    found
        .get(group)
        .map_or_else(String::new, |kept| kept.as_str().to_owned())
}
