//! The selection flags: one table, the same on every command that shows connections.

mod flags;

use std::{fmt::Display, os::unix::fs::MetadataExt as _, str::FromStr};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use tracer_core::{
    discovery::Severity,
    fact::Account,
    outcome::Outcome,
    protocol::Protocol,
    record::{Direction, Event},
    select::{Ports, Selection, Term, Test},
};

use self::flags::{FLAGS, Flag};
use super::{UsageError, groups::heading};

/// A flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    name: &'static str,
    is_negated: bool,
    values: Vec<String>,
}

/// The selection flags as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionArgs {
    given: Vec<Given>,
    any: bool,
}

impl Args for SelectionArgs {
    fn augment_args(command: Command) -> Command {
        let command = FLAGS.iter().fold(command, |command, flag| {
            command
                .arg(arg(flag, flag.name).hide_short_help(!flag.is_frequent))
                .arg(arg(flag, flag.negated).hide(true))
        });
        command
            .arg(
                Arg::new("any")
                    .long("any")
                    .action(ArgAction::SetTrue)
                    .help_heading(heading::SELECTING)
                    .help("One of the selecting flags is enough, not all of them"),
            )
            .arg(
                Arg::new("new-only")
                    .long("new-only")
                    .action(ArgAction::SetTrue)
                    .help_heading(heading::SELECTING)
                    .help("Nothing of what was there before: as --not-event existing"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(flag: &Flag, name: &'static str) -> Arg {
    let arg = Arg::new(name)
        .long(name)
        .help(flag.help)
        .help_heading(heading::SELECTING);
    match flag.value {
        Some(value) => arg
            .value_name(value)
            .action(ArgAction::Append)
            .value_delimiter(','),
        None => arg.action(ArgAction::SetTrue),
    }
}

impl FromArgMatches for SelectionArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.any = matches.get_flag("any");
        self.given = FLAGS
            .iter()
            .flat_map(|flag| [(flag, false), (flag, true)])
            .filter_map(|(flag, is_negated)| given(matches, flag, is_negated))
            .collect();
        if matches.get_flag("new-only") {
            self.given.push(Given {
                name: "event",
                is_negated: true,
                values: vec![Event::Existing.word().to_owned()],
            });
        }
        Ok(())
    }
}

fn given(matches: &ArgMatches, flag: &Flag, is_negated: bool) -> Option<Given> {
    let name = if is_negated { flag.negated } else { flag.name };
    let values = if flag.value.is_some() {
        matches.get_many::<String>(name)?.cloned().collect()
    } else if matches.get_flag(name) {
        Vec::new()
    } else {
        return None;
    };
    Some(Given {
        name: flag.name,
        is_negated,
        values,
    })
}

/// Patterns, or why there are none.
pub type Patterns = Result<Vec<glob::Pattern>, String>;

/// What names in a selection mean: on the machine that is traced.
pub struct Surroundings<'a> {
    /// Its accounts.
    pub users: &'a [Account],
    /// Namespaces can be named by path or process: the machine is this one.
    pub is_live: bool,
    /// Not all of its accounts are known yet: who is not among them may be found.
    pub may_have_more_users: bool,
}

impl SelectionArgs {
    /// What is in a network namespace, and nothing else.
    pub fn of_namespace(inode: u32) -> Self {
        Self {
            given: vec![Given::of("netns", &inode.to_string())],
            any: false,
        }
    }

    /// Of the same, findings of discovery that matter at least so much, and no other records.
    ///
    /// # Errors
    /// If other records are asked for, or no findings.
    pub fn of_findings(&self, least: Severity) -> Result<Self, UsageError> {
        let word = Event::Discovery.word();
        let is_finding = |value: &String| value.trim() == word;
        let is_wrong = |given: &Given| {
            let mut values = given.values.iter();
            if given.is_negated {
                values.any(is_finding)
            } else {
                !values.all(is_finding)
            }
        };
        let mut events = self.given.iter().filter(|given| given.name == "event");
        if events.any(is_wrong) {
            let why = "--event: `conntracer discovery` tells findings and nothing else; `trace --discovery` tells them among all records";
            return Err(UsageError(why.to_owned()));
        }
        let mut found = self.clone();
        found
            .given
            .retain(|given| given.name != "event" || given.is_negated);
        found.given.push(Given::of("event", word));
        if least > Severity::Info {
            found.given.push(Given::of("severity", least.word()));
        }
        Ok(found)
    }

    /// Whether it names accounts of the traced host.
    pub fn names_accounts(&self) -> bool {
        let mut given = self.given.iter();
        given.any(|given| matches!(given.name, "user" | "login"))
    }

    /// Whether findings of discovery are asked for by name.
    pub fn wants_findings(&self) -> bool {
        let word = Event::Discovery.word();
        let mut events = self.given.iter().filter(|given| given.name == "event");
        events.any(|given| !given.is_negated && given.values.iter().any(|one| one.trim() == word))
    }

    /// What is selected by `--user`, as patterns of names that are no accounts of this host, each with whether it is
    /// negated; and all else.
    pub fn without_users(&self) -> (Vec<(Patterns, bool)>, Self) {
        let is_user = |given: &Given| given.name == "user";
        let (users, given): (Vec<Given>, _) = self.given.iter().cloned().partition(is_user);
        let users = users.into_iter().map(|given| {
            let names = given.values.iter().map(|value| pattern(value.trim()));
            (names.collect(), given.is_negated)
        });
        let any = self.any;
        (users.collect(), Self { given, any })
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Whether the other host is to be external.
    pub fn wants_external(&self) -> bool {
        let is_so = |given: &Given| given.name == "external" && !given.is_negated;
        self.given.iter().any(is_so)
    }

    /// The flags as they were typed, for the header of a recording.
    pub fn words(&self) -> Vec<String> {
        let any = self.any.then(|| "--any".to_owned());
        let words = |given: &Given| {
            let not = if given.is_negated { "not-" } else { "" };
            format!("--{not}{} {}", given.name, given.values.join(","))
                .trim_end()
                .to_owned()
        };
        self.given.iter().map(words).chain(any).collect()
    }

    /// What they mean.
    pub fn resolve(&self, surroundings: &Surroundings<'_>) -> Result<Selection, UsageError> {
        let mut selection = Selection {
            any: self.any,
            ..Selection::default()
        };
        for given in &self.given {
            match (given.name, given.is_negated) {
                ("event", false) => selection.events = given.parse_with(event)?,
                ("event", true) => selection.not_events.extend(given.parse_with(event)?),
                ("outcome", false) => selection.outcomes = given.parse_with(outcome)?,
                ("outcome", true) => selection.not_outcomes = given.parse_with(outcome)?,
                ("severity", _) => {
                    let least = given.parse_with(severity)?;
                    selection.severity = least.into_iter().max().unwrap_or_default();
                }
                _ => selection.terms.push(Term {
                    test: given.test(surroundings)?,
                    is_negated: given.is_negated,
                }),
            }
        }
        Ok(selection)
    }
}

impl Given {
    /// A flag with a value.
    fn of(name: &'static str, value: &str) -> Self {
        Self {
            name,
            is_negated: false,
            values: vec![value.to_owned()],
        }
    }

    fn test(&self, surroundings: &Surroundings<'_>) -> Result<Test, UsageError> {
        let netns = |name: &str| netns(name, surroundings.is_live);
        Ok(match self.name {
            "port" => Test::Port(self.ports()?),
            "local-port" => Test::LocalPort(self.ports()?),
            "remote-port" => Test::RemotePort(self.ports()?),
            "remote" => Test::Remote(self.parse_with(network)?),
            "external" => Test::External,
            "protocol" => Test::Protocol(self.parse_with(protocol)?),
            "user" => Test::User(self.users(surroundings)?),
            "login" => Test::Login(self.users(surroundings)?),
            "cgroup" => Test::Cgroup(self.parse_with(cgroup)?),
            "netns" => Test::Netns(self.parse_with(netns)?),
            "pid" => Test::Pid(self.parse_with(number)?),
            "process" => Test::Process(self.values.clone()),
            "exe" => Test::Exe(self.parse_with(pattern)?),
            "direction" => Test::Direction(self.parse_with(direction)?),
            "container" => Test::Container(self.parse_with(pattern)?),
            "pod" => Test::Pod(self.parse_with(pattern)?),
            _ => Test::Namespace(self.parse_with(pattern)?),
        })
    }

    fn users(&self, surroundings: &Surroundings<'_>) -> Result<Vec<u32>, UsageError> {
        let known = self.parse_with(|name| match uid(name, surroundings.users) {
            Err(_) if surroundings.may_have_more_users => Ok(None),
            known => known.map(Some),
        })?;
        Ok(known.into_iter().flatten().collect())
    }

    fn ports(&self) -> Result<Ports, UsageError> {
        self.values
            .join(",")
            .parse()
            .map_err(|why: String| self.error(&why))
    }

    fn parse_with<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, UsageError> {
        let parse = |value: &String| parse(value.trim()).map_err(|why| self.error(&why));
        self.values.iter().map(parse).collect()
    }

    fn error(&self, why: &str) -> UsageError {
        let not = if self.is_negated { "not-" } else { "" };
        UsageError(format!("--{not}{}: {why}", self.name))
    }
}

/// A value that is one of a list of words.
fn word<T: Copy>(value: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|one| name(*one) == value)
        .ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            format!("`{value}` is none of {}", words.join(", "))
        })
}

fn event(value: &str) -> Result<Event, String> {
    word(value, &Event::SELECTABLE, Event::word)
}

fn severity(value: &str) -> Result<Severity, String> {
    word(value, &Severity::ALL, Severity::word)
}

fn outcome(value: &str) -> Result<Outcome, String> {
    word(value, &Outcome::ALL, Outcome::word)
}

fn direction(value: &str) -> Result<Direction, String> {
    let all = [
        Direction::Outbound,
        Direction::Inbound,
        Direction::Listening,
    ];
    word(value, &all, Direction::word)
}

fn protocol(value: &str) -> Result<Protocol, String> {
    word(value, &[Protocol::Tcp, Protocol::Udp], Protocol::word)
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is not a number"))
}

fn network(value: &str) -> Result<ipnet::IpNet, String> {
    let address = value.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    address
        .or_else(|_| value.parse())
        .map_err(|_| format!("`{value}` is neither an address nor a network such as 10.0.0.0/8"))
}

fn uid(value: &str, users: &[Account]) -> Result<u32, String> {
    if let Ok(uid) = value.parse() {
        return Ok(uid);
    }
    users
        .iter()
        .find(|account| account.name == value)
        .map(|account| account.uid)
        .ok_or_else(|| format!("the traced host has no user `{value}`"))
}

fn cgroup(value: &str) -> Result<String, String> {
    if value.starts_with('/') {
        Ok(value.to_owned())
    } else {
        Err(format!("`{value}` does not begin with /"))
    }
}

fn pattern(value: &str) -> Result<glob::Pattern, String> {
    if value.is_empty() {
        return Err("an empty pattern fits nothing".to_owned());
    }
    glob::Pattern::new(value).map_err(|error| format!("`{value}` is no pattern: {error}"))
}

/// A network namespace by its inode number, or, of this machine, by path or process.
fn netns(value: &str, is_live: bool) -> Result<u32, String> {
    if let Ok(inode) = value.parse() {
        return Ok(inode);
    }
    if !is_live {
        return Err(format!(
            "`{value}` is not an inode number, which is all that a recording knows"
        ));
    }
    let wrong = |why: &dyn Display| format!("`{value}` is no network namespace: {why}");
    let path = match value.strip_prefix("pid:") {
        Some(pid) => {
            let pid: u32 = number(pid).map_err(|why| wrong(&why))?;
            format!("/proc/{pid}/ns/net")
        }
        None => value.to_owned(),
    };
    let inode = std::fs::metadata(&path)
        .map_err(|error| wrong(&error))?
        .ino();
    u32::try_from(inode).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        selection: SelectionArgs,
    }

    fn resolve(words: &[&str]) -> Result<Selection, String> {
        let words = std::iter::once("conntracer").chain(words.iter().copied());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let users = [Account {
            uid: 33,
            name: "www-data".into(),
        }];
        let surroundings = Surroundings {
            users: &users,
            is_live: false,
            may_have_more_users: false,
        };
        cli.selection
            .resolve(&surroundings)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_of_one_flag_are_alternatives() {
        let selection = resolve(&["--port", "80,443", "--port", "8000-8100"]).unwrap();
        assert_eq!(selection.terms.len(), 1);
        let expected = Test::Port("80,443,8000-8100".parse().unwrap());
        assert_eq!(selection.terms[0].test, expected);
    }

    #[test]
    fn names_are_those_of_the_traced_host() {
        let selection = resolve(&["--user", "www-data", "--not-user", "7"]).unwrap();
        assert_eq!(selection.terms[0].test, Test::User(vec![33]));
        assert_eq!(selection.terms[1].test, Test::User(vec![7]));
        assert!(selection.terms[1].is_negated);
        let error = resolve(&["--user", "mallory"]).unwrap_err();
        assert_eq!(error, "--user: the traced host has no user `mallory`");
    }

    #[test]
    fn records_are_selected_apart_from_connections() {
        let selection = resolve(&["--event", "connect,close", "--not-outcome", "refused"]).unwrap();
        assert!(selection.terms.is_empty());
        assert_eq!(selection.events, [Event::Connect, Event::Close]);
        assert_eq!(selection.not_outcomes, [Outcome::Refused]);
    }

    #[test]
    fn what_was_there_before_can_be_left_out() {
        let selection = resolve(&["--new-only", "--not-event", "listen"]).unwrap();
        assert_eq!(selection.not_events, [Event::Listen, Event::Existing]);
    }

    #[test]
    fn findings_are_selected_alone() {
        let findings = |words: &[&str]| {
            let words = std::iter::once("conntracer").chain(words.iter().copied());
            let args = Cli::try_parse_from(words).unwrap().selection;
            let found = args.of_findings(Severity::Medium);
            found.map_err(|error| error.to_string())
        };
        let found = findings(&["--user", "7", "--new-only"]).unwrap();
        assert_eq!(
            found.words(),
            [
                "--user 7",
                "--not-event existing",
                "--event discovery",
                "--severity medium"
            ]
        );
        assert_eq!(
            findings(&["--event", "discovery"]).unwrap().words().len(),
            2
        );
        for words in [
            ["--event", "connect"],
            ["--event", "discovery,connect"],
            ["--not-event", "discovery"],
        ] {
            assert!(
                findings(&words).unwrap_err().contains("--event"),
                "{words:?}"
            );
        }
        let surroundings = Surroundings {
            users: &[],
            is_live: false,
            may_have_more_users: false,
        };
        let selection = found.resolve(&surroundings).unwrap();
        assert_eq!(selection.events, [Event::Discovery]);
        assert_eq!(selection.severity, Severity::Medium);
        let told = selection.describe(false).records;
        assert_eq!(told["severity"], ["medium"]);
    }

    #[test]
    fn a_namespace_is_selected_as_by_its_flag() {
        let cli = Cli::try_parse_from(["conntracer", "--netns", "4026532000"]).unwrap();
        assert_eq!(SelectionArgs::of_namespace(4_026_532_000), cli.selection);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let error = |words: &[&str]| resolve(words).unwrap_err();
        assert!(error(&["--remote", "10.0.0.0/33"]).contains("--remote: `10.0.0.0/33`"));
        assert!(
            error(&["--not-event", "open"]).contains("--not-event: `open` is none of existing")
        );
        assert!(error(&["--netns", "/run/netns/x"]).contains("not an inode number"));
        assert!(error(&["--cgroup", "nginx"]).contains("does not begin with /"));
    }

    #[test]
    fn a_selection_can_be_written_down() {
        let words = ["conntracer", "--any", "--external", "--not-port", "1,2"];
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(
            cli.selection.words(),
            ["--not-port 1,2", "--external", "--any"]
        );
    }
}
