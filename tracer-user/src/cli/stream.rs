//! What an agent streams beside what it keeps.

use std::str::FromStr;

use clap::{Args, Parser};
use serde::Deserialize;
use tracer_core::redact::Arguments;

use super::{Config, SelectionArgs, Shown, groups::heading, values};

/// Flags of the stream of an agent.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub struct StreamArgs {
    /// Write what these selecting flags select to stdout, too, one JSON object a line: --stream=--external; '' is everything
    #[arg(
        long,
        value_name = "FLAGS",
        value_parser = values::parse::<Flags>,
        allow_hyphen_values = true
    )]
    pub stream: Option<Flags>,
}

impl StreamArgs {
    /// What is streamed, if anything is: as the flag says, else as the configuration does.
    pub fn selection<'a>(&'a self, config: &'a Config) -> Option<&'a SelectionArgs> {
        let flags = self.stream.as_ref().or(config.stream.select.as_ref());
        flags.map(|flags| &flags.0)
    }
}

/// The selecting flags in one text, as a shell takes them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Flags(SelectionArgs);

/// The selecting flags, and nothing else.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Selecting {
    #[command(flatten)]
    selection: SelectionArgs,
}

impl FromStr for Flags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words =
            shlex::split(text).ok_or_else(|| format!("in `{text}` a quotation has no end"))?;
        match Selecting::try_parse_from(words) {
            Ok(parsed) => Ok(Self(parsed.selection)),
            Err(error) => {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                Err(first.trim_start_matches("error: ").to_owned())
            }
        }
    }
}

impl TryFrom<String> for Flags {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What an agent streams, as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StreamTable {
    select: Option<Flags>,
    args: Option<Shown>,
}

impl Config {
    /// What is shown of arguments in a stream.
    ///
    /// # Errors
    /// If no expression can be made of the names of secrets.
    pub fn stream_arguments(&self) -> anyhow::Result<Arguments> {
        let shown = self.stream.args.unwrap_or(Shown::Redacted);
        shown.arguments(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selecting_flags_are_those_of_the_command_line() {
        let words = |text: &str| text.parse::<Flags>().unwrap().0.words();
        assert_eq!(
            words("--external --not-process 'kube proxy' --port=443,80"),
            ["--port 443,80", "--external", "--not-process kube proxy"]
        );
        assert!(words("").is_empty());
        for (text, why) in [
            ("--exernal", "unexpected argument '--exernal'"),
            ("--external 'x", "a quotation has no end"),
            ("external", "unexpected argument 'external'"),
            ("--help", "unexpected argument '--help'"),
        ] {
            let error = text.parse::<Flags>().unwrap_err();
            assert!(error.contains(why) && !error.contains('\n'), "{error}");
        }
    }
}
