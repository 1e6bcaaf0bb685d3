//! The configuration file.

mod mistake;

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use tracer_core::{
    discovery::Elements,
    fact::{Named, Networks},
    redact::{Pattern, Redactor},
};

use super::{
    EnrichArgs, EnrichFiles, NetworkArgs, Shown,
    groups::heading,
    stream::StreamTable,
    values::{Duration, Size},
};
use crate::store::{Keep, Settings};

/// How large a history may become.
const MAX_SIZE: Size = Size(2 << 30);

/// Read if it exists and no other is named.
const DEFAULT: &str = "/etc/conntracer/config.toml";

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The configuration, in TOML [default: /etc/conntracer/config.toml, if it exists]
    #[arg(long, value_name = "FILE", help_heading = heading::FILES)]
    pub config: Option<PathBuf>,
}

/// What the user declared once for all. A key that is not here is an error.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    networks: NetworkTable,
    names: BTreeMap<IpAddr, OneOrMore>,
    redaction: RedactionTable,
    discovery: Elements,
    enrichment: EnrichmentTable,
    /// What an agent keeps.
    pub(super) history: HistoryTable,
    /// What it streams.
    pub(super) stream: StreamTable,
}

/// What an agent keeps, where, for how long.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HistoryTable {
    pub path: Option<PathBuf>,
    pub keep: Option<Duration>,
    pub keep_minutes: Option<Duration>,
    pub keep_hours: Option<Duration>,
    pub keep_days: Option<Duration>,
    pub max_size: Option<Size>,
    pub args: Option<Shown>,
}

/// Files that say something of other hosts.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EnrichmentTable {
    feeds: Vec<PathBuf>,
    allow: Vec<PathBuf>,
    geo: Vec<PathBuf>,
    accounts: Option<PathBuf>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NetworkTable {
    internal: Vec<IpNet>,
    external: Vec<IpNet>,
}

/// What is a secret in arguments, beside what always is.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RedactionTable {
    names: Vec<String>,
    patterns: Vec<Pattern>,
}

/// Names of an address.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a name or a list of names")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl ConfigArgs {
    /// Reads the configuration.
    ///
    /// # Errors
    /// If there is none where it was said to be, or something in it makes no sense: names the file, and
    /// the line and key.
    pub fn load(&self) -> anyhow::Result<Config> {
        let path = self.config.as_deref().unwrap_or(Path::new(DEFAULT));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if self.config.is_none() && error.kind() == ErrorKind::NotFound => {
                return Ok(Config::default());
            }
            Err(error) => {
                let of_file = format!("cannot read the configuration {}", path.display());
                return Err(error).context(of_file);
            }
        };
        toml::from_str(&text).map_err(|error| {
            let mistake = mistake::describe(&text, &error);
            anyhow!("the configuration {}, {mistake}", path.display())
        })
    }
}

impl Config {
    /// The networks that it declares; where a flag says something, that in its place.
    #[must_use]
    pub fn networks(&self, flags: &NetworkArgs) -> Networks {
        let either =
            |flag: &[IpNet], file: &[IpNet]| if flag.is_empty() { file } else { flag }.to_vec();
        Networks {
            internal: either(&flags.internal_cidr, &self.networks.internal),
            external: either(&flags.external_cidr, &self.networks.external),
        }
    }

    /// The files that it names which say something of other hosts; where a flag names some, those in their place.
    #[must_use]
    pub fn enrich(&self, flags: &EnrichArgs) -> EnrichArgs {
        EnrichArgs {
            files: self.enrich_by(&flags.files),
            threat: flags.threat,
        }
    }

    /// The same of files alone.
    #[must_use]
    pub fn enrich_by(&self, flags: &EnrichFiles) -> EnrichFiles {
        let table = &self.enrichment;
        let either =
            |flag: &[PathBuf], file: &[PathBuf]| if flag.is_empty() { file } else { flag }.to_vec();
        EnrichFiles {
            feed: either(&flags.feed, &table.feeds),
            allow: either(&flags.allow, &table.allow),
            geo: either(&flags.geo, &table.geo),
            accounts: flags.accounts.clone().or_else(|| table.accounts.clone()),
        }
    }

    /// What finds secrets in arguments.
    ///
    /// # Errors
    /// If no expression can be made of the names of secrets.
    pub fn redactor(&self) -> anyhow::Result<Redactor> {
        let table = &self.redaction;
        Redactor::new(&table.names, table.patterns.clone())
            .context("in the configuration, [redaction] names")
    }

    /// What is kept of a history, and for how long; flags win.
    ///
    /// # Errors
    /// If no expression can be made of the names of secrets.
    pub fn history_settings(
        &self,
        keep: Option<Duration>,
        max_size: Option<Size>,
    ) -> anyhow::Result<Settings> {
        let table = &self.history;
        let days = |given: Option<Duration>, days: u64| {
            given.map_or(std::time::Duration::from_hours(24 * days), Into::into)
        };
        let keep = Keep {
            details: days(keep.or(table.keep), 14),
            minutes: days(table.keep_minutes, 30),
            hours: days(table.keep_hours, 180),
            days: days(table.keep_days, 730),
            bytes: max_size.or(table.max_size).unwrap_or(MAX_SIZE).0,
        };
        let arguments = table.args.unwrap_or(Shown::Redacted).arguments(self)?;
        Ok(Settings { keep, arguments })
    }

    /// Where a history is kept.
    pub(super) fn history_path(&self) -> Option<&PathBuf> {
        self.history.path.as_ref()
    }

    /// The mutable elements by which discovery is judged.
    #[must_use]
    pub fn discovery(&self) -> Elements {
        self.discovery.clone()
    }

    /// The names that it declares, of an address in their order.
    #[must_use]
    pub fn names(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for (address, names) in &self.names {
            let names = match names {
                OneOrMore::One(name) => std::slice::from_ref(name),
                OneOrMore::More(names) => names,
            };
            found.extend(names.iter().map(|name| Named {
                address: *address,
                name: name.clone(),
            }));
        }
        found.retain(|named| !named.name.is_empty());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_networks_are_declared() {
        let config: Config = toml::from_str(
            "[networks]\ninternal = [\"198.51.100.0/24\"]\nexternal = [\"10.9.0.0/16\"]\n\
             [names]\n\"192.0.2.7\" = [\"db.example\", \"db\"]\n\"2001:db8::1\" = \"six.example\"\n",
        )
        .unwrap();
        let names: Vec<String> = config
            .names()
            .iter()
            .map(|named| format!("{} {}", named.address, named.name))
            .collect();
        assert_eq!(
            names,
            [
                "192.0.2.7 db.example",
                "192.0.2.7 db",
                "2001:db8::1 six.example"
            ]
        );
        let flags = NetworkArgs {
            internal_cidr: vec!["203.0.113.0/24".parse().unwrap()],
            external_cidr: Vec::new(),
        };
        let networks = config.networks(&flags);
        assert_eq!(networks.internal, flags.internal_cidr);
        assert_eq!(networks.external, ["10.9.0.0/16".parse().unwrap()]);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line_and_key() {
        for (text, place, why) in [
            (
                "[network]\n",
                "line 1, key `network`: ",
                "unknown field `network`",
            ),
            (
                "[networks]\nintern = []\n",
                "line 2, key `networks.intern`: ",
                "unknown field `intern`",
            ),
            (
                "\n[networks]\ninternal = [\n  \"10.0.0.0/8\",\n  \"10.0.0.0/33\",\n]\n",
                "line 5, key `networks.internal`: ",
                "invalid IP address syntax",
            ),
            (
                "[networks]\nexternal = \"10.0.0.0/8\"\n",
                "line 2, key `networks.external`: ",
                "expected a sequence",
            ),
            (
                "[names]\n\"db\" = \"192.0.2.7\"\n",
                "line 2, key `names.db`: ",
                "invalid IP address syntax",
            ),
            (
                "\n[redaction]\npatterns = [\"(\"]\n",
                "line 3, key `redaction.patterns`: ",
                "found open group",
            ),
            (
                "[names]\n\"192.0.2.7\" = 7\n",
                "line 2, key `names.192.0.2.7`: ",
                "a name or a list of names",
            ),
            ("[names\n", "line 1: ", "]"),
            ("[names]\n[names]\n", "line 2: ", "duplicate key"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err();
            let message = mistake::describe(text, &error);
            assert!(message.starts_with(place), "{message}");
            assert!(message.contains(why), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    /// The keys that there are, where there is another one.
    fn keys(wrong: &str) -> Vec<String> {
        let error = toml::from_str::<Config>(wrong).unwrap_err().to_string();
        let (_, expected) = error.rsplit_once("expected ").unwrap();
        let keys = expected.split('`').skip(1).step_by(2);
        keys.map(str::to_owned).collect()
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = include_str!("../../../docs/config.md");
        let (_, example) = text.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let config: Config = toml::from_str(example).unwrap();
        assert!(!config.networks.internal.is_empty());
        assert!(!config.networks.external.is_empty());
        assert!(!config.redaction.names.is_empty());
        assert!(!config.redaction.patterns.is_empty());
        assert!(config.redactor().is_ok());
        let names = config.names();
        assert!(names.iter().any(|named| named.name == "db"), "{names:?}");
        // Each key that there is stands in it.
        for key in keys("[x]") {
            assert!(example.contains(&format!("[{key}]")), "{key}");
        }
        for table in ["history", "stream"] {
            for key in keys(&format!("[{table}]\nx = 1")) {
                assert!(example.contains(&format!("\n{key} = ")), "{table}.{key}");
            }
        }
    }
}
