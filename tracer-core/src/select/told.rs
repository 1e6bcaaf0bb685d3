//! Selection from what was written with `-o json`.
//!
//! A line says all that the tests look at, in words. They are put back into what the kernel half looks
//! at, so that the same code decides as live and in a replay.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::Ipv6Net;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Error;
use tracer_abi::{Connection, Subject as RawSubject, net_bit};

use super::{Compiled, Person, Selection, Subject};
use crate::{
    cgroup::Cgroups,
    container::{Container, Pod},
    discovery::Severity,
    fact::{Account, Networks},
    hosts::Sum,
    outcome::Outcome,
    protocol::Protocol,
    record::{self, Direction, Endpoint, Event, Id, NOT_OF_CONNECTIONS, NameFrom, Owner, Record},
    scope::{Scope, Scopes, to_address},
};

/// What the cgroup of a line is called while it is looked at.
const CGROUP: u64 = 1;

/// A record as far as selections look at it.
#[derive(Debug, Deserialize)]
pub struct Told {
    event: Event,
    outcome: Option<Outcome>,
    protocol: Option<Protocol>,
    direction: Option<Direction>,
    local: Option<End>,
    remote: Option<End>,
    netns: u32,
    process: Option<Process>,
    user: Option<User>,
    cgroup: Option<Cgroup>,
    container: Option<Container>,
    pod: Option<Pod>,
    #[serde(default)]
    holders: Vec<Process>,
    severity: Option<Severity>,
}

#[derive(Debug, Deserialize)]
struct End {
    ip: IpAddr,
    port: Option<u16>,
    scope: Option<Scope>,
    #[serde(default)]
    threat: Vec<IgnoredAny>,
}

impl End {
    /// Whether it meets an indicator.
    fn is_threat(&self) -> bool {
        !self.threat.is_empty()
    }
}

#[derive(Debug, Deserialize)]
struct Process {
    pid: u32,
    #[serde(default)]
    name: String,
    exe: Option<String>,
}

#[derive(Debug, Deserialize)]
struct User {
    uid: u32,
    name: Option<String>,
    name_from: Option<NameFrom>,
    auid: Option<u32>,
    login: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Cgroup {
    path: Option<String>,
}

/// What every line says of itself.
#[derive(Deserialize)]
struct Line {
    event: String,
}

impl Told {
    /// Reads a line; `None`: it tells of no connection.
    ///
    /// # Errors
    /// If it is not a line of `-o json`.
    pub fn read(line: &str) -> Result<Option<Self>, Error> {
        let event = serde_json::from_str::<Line>(line)?.event;
        if NOT_OF_CONNECTIONS.contains(&event.as_str()) {
            return Ok(None);
        }
        serde_json::from_str(line).map(Some)
    }

    /// What a record says; `None`: it is none that is selected.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        match record {
            Record::Connection(connection) => Some(Self::of_connection(connection)),
            Record::Socket(socket) => Some(Self {
                event: Event::Socket,
                netns: socket.netns,
                ..Self::of_owner(Some(&socket.owner))
            }),
            Record::Discovery(finding) => Some(Self {
                event: Event::Discovery,
                netns: finding.netns.unwrap_or_default(),
                severity: Some(finding.severity),
                ..Self::of_owner(finding.owner())
            }),
            Record::Start(_) | Record::Loss(_) | Record::Stop(_) => None,
        }
    }

    fn of_connection(connection: &record::Connection) -> Self {
        let end = |end: &Endpoint| End {
            ip: end.ip,
            port: end.port,
            scope: end.scope,
            threat: end.threat.iter().map(|_| IgnoredAny).collect(),
        };
        let held_by = |holder: &record::Holder| Process {
            pid: holder.pid,
            name: holder.name.clone(),
            exe: None,
        };
        Self {
            event: connection.head.event,
            outcome: connection.outcome,
            protocol: Some(connection.protocol),
            direction: connection.direction,
            local: connection.local.as_ref().map(end),
            remote: connection.remote.as_ref().map(end),
            netns: connection.netns,
            holders: connection.holders.iter().map(held_by).collect(),
            ..Self::of_owner(connection.owner.as_deref())
        }
    }

    /// What connections say that were summed up: what [`Selection::is_of_sums`] looks at.
    #[must_use]
    pub fn of_sum(sum: &Sum) -> Self {
        let who = sum.who.as_deref();
        let (local_port, remote_port) = match sum.direction {
            Some(Direction::Inbound | Direction::Listening) => (sum.port, sum.other_port),
            Some(Direction::Outbound) | None => (sum.other_port, sum.port),
        };
        let end = |ip: Option<IpAddr>, port: Option<u16>, scope: Option<Scope>| {
            ip.map(|ip| End {
                ip,
                port,
                scope,
                threat: Vec::new(),
            })
        };
        Self {
            protocol: Some(sum.protocol),
            direction: sum.direction,
            local: end(sum.local, local_port, None),
            remote: end(sum.remote, remote_port, sum.scope),
            netns: sum.netns,
            process: who.map(|who| Process {
                pid: who.pid,
                name: who.name.clone(),
                exe: who.exe.clone(),
            }),
            user: who.and_then(|who| {
                Some(User {
                    uid: who.uid?,
                    name: who.user.clone(),
                    name_from: who.user_from,
                    auid: None,
                    login: who.login.clone(),
                })
            }),
            container: who.and_then(|who| who.container.clone()),
            pod: who.and_then(|who| who.pod.clone()),
            ..Self::of_owner(None)
        }
    }

    /// What a record says of an owner, and nothing else.
    fn of_owner(owner: Option<&Owner>) -> Self {
        Self {
            event: Event::Existing,
            outcome: None,
            protocol: None,
            direction: None,
            local: None,
            remote: None,
            netns: 0,
            process: owner.map(|owner| Process {
                pid: owner.process.pid,
                name: owner.process.name.clone(),
                exe: owner.process.exe.clone(),
            }),
            user: owner.map(|owner| User {
                uid: owner.user.uid,
                name: owner.user.name.clone(),
                name_from: owner.user.name_from,
                auid: owner.user.auid,
                login: owner.user.login.clone(),
            }),
            cgroup: owner.map(|owner| Cgroup {
                path: owner.cgroup.path.clone(),
            }),
            container: owner.and_then(|owner| owner.container.clone()),
            pod: owner.and_then(|owner| owner.pod.clone()),
            holders: Vec::new(),
            severity: None,
        }
    }

    /// The accounts of its host that it names.
    pub fn accounts(&self) -> impl Iterator<Item = Account> {
        let user = self.user.as_ref();
        let account = |uid: u32, name: &Option<String>| {
            let name = name.clone()?;
            Some(Account { uid, name })
        };
        let is_of_host = |user: &&User| user.name_from != Some(NameFrom::Container);
        let itself = user
            .filter(is_of_host)
            .and_then(|user| account(user.uid, &user.name));
        let login = user.and_then(|user| account(user.auid?, &user.login));
        itself.into_iter().chain(login)
    }

    /// What the kernel half would look at.
    fn connection(&self) -> Connection {
        let mut connection = Connection::UNKNOWN;
        if let Some(local) = &self.local {
            connection.local = to_address(local.ip);
            connection.local_port = local.port.unwrap_or_default();
        }
        if let Some(remote) = &self.remote {
            connection.remote = to_address(remote.ip);
            connection.remote_port = remote.port.unwrap_or_default();
        }
        connection.netns = self.netns;
        connection.protocol = self.protocol.map_or(0, Protocol::number);
        if let (Some(process), Some(user)) = (&self.process, &self.user) {
            connection.owner.tgid = process.pid;
            connection.owner.uid = user.uid;
            connection.owner.auid = user.auid.unwrap_or(u32::MAX);
            connection.owner.cgroup_id = CGROUP;
        }
        connection
    }

    /// Those who use it: the owner, or those who hold it.
    fn people(&self) -> Vec<Person<'_>> {
        let processes = self.process.iter().chain(&self.holders);
        let people = processes.map(|process| Person {
            pid: process.pid,
            name: &process.name,
            exe: process.exe.as_deref(),
            container: self.container.as_ref(),
            pod: self.pod.as_ref(),
        });
        people.collect()
    }
}

/// A selection from lines.
#[derive(Debug)]
pub struct FromLines {
    selection: Selection,
    compiled: Compiled,
}

impl FromLines {
    /// What is selected.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        let compiled = selection.compile(&Scopes::new(&[], &Networks::default()), None);
        Self {
            selection,
            compiled,
        }
    }

    /// What is selected.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether a line is.
    pub fn keeps(&mut self, told: &Told) -> bool {
        self.keeps_connection(told) && self.keeps_record(told)
    }

    /// Whether the tests on records keep it.
    fn keeps_record(&self, told: &Told) -> bool {
        let least = self.selection.severity;
        let is_grave = told.severity.is_none_or(|one| one >= least);
        is_grave && self.selection.keeps_record(told.event, told.outcome)
    }

    /// Whether the tests on connections keep it.
    fn keeps_connection(&mut self, told: &Told) -> bool {
        // The host has judged its addresses itself, by its own and by what its user declared.
        self.compiled.scopes.clear();
        if let Some(remote) = &told.remote
            && remote.scope == Some(Scope::External)
        {
            let address = Ipv6Addr::from(to_address(remote.ip).canonical().0);
            let external = (Ipv6Net::from(address), net_bit::EXTERNAL);
            self.compiled.scopes.push(external);
        }
        let mut cgroups = Cgroups::default();
        if let Some(path) = told.cgroup.as_ref().and_then(|cgroup| cgroup.path.as_ref()) {
            cgroups.learn(CGROUP, false, path);
        }
        let connection = told.connection();
        let keeps = |owner: Option<Person<'_>>| {
            let subject = Subject {
                raw: RawSubject::from(&connection),
                owner,
                direction: told.direction,
                is_threat: told.remote.as_ref().is_some_and(End::is_threat),
            };
            let selection = &self.selection;
            selection.keeps_connection(&self.compiled, &cgroups, subject)
        };
        let people = told.people();
        match people.as_slice() {
            [] => keeps(None),
            people => people.iter().any(|person| keeps(Some(*person))),
        }
    }
}

/// So many connections are followed at most. Records of their ends may be lost, and nothing else says that they
/// are over.
const FOLLOWED_MAX: usize = 1 << 20;

/// A selection from records in their order: of a connection that was selected once, all that follows is.
#[derive(Debug)]
pub struct Following {
    lines: FromLines,
    followed: HashSet<Id>,
}

impl Following {
    /// What is selected.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        Self {
            lines: FromLines::new(selection),
            followed: HashSet::new(),
        }
    }

    /// What is selected.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        self.lines.selection()
    }

    /// Whether a record is. Those of the run itself always are.
    pub fn keeps(&mut self, record: &Record) -> bool {
        let Some(told) = Told::of(record) else {
            return true;
        };
        let is_kept = match record {
            Record::Connection(connection) => self.keeps_connection(connection, &told),
            _ => self.lines.keeps_connection(&told),
        };
        is_kept && self.lines.keeps_record(&told)
    }

    fn keeps_connection(&mut self, connection: &record::Connection, told: &Told) -> bool {
        let is_kept = self.followed.contains(&connection.id) || self.lines.keeps_connection(told);
        if connection.head.event.is_last() {
            self.followed.remove(&connection.id);
        } else if is_kept {
            if self.followed.len() >= FOLLOWED_MAX {
                self.followed.clear();
            }
            self.followed.insert(connection.id);
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;
    use crate::select::{Ports, Term, Test};

    const LINE: &str = r#"{"event": "connect", "protocol": "tcp", "direction": "outbound", "netns": 7,
        "local": {"ip": "10.0.0.5", "port": 40000},
        "remote": {"ip": "64:ff9b::cb00:7142", "port": 443, "scope": "external"},
        "process": {"pid": 12, "name": "curl", "exe": "/usr/bin/curl"},
        "user": {"uid": 1000, "name": "alice", "auid": 1001, "login": "bob"},
        "cgroup": {"id": 99, "path": "/system.slice/a.service"},
        "container": {"id": "4f5e0c"}}"#;
    const HELD: &str = r#"{"event": "existing", "protocol": "tcp", "netns": 7,
        "holders": [{"pid": 5, "name": "one"}, {"pid": 6, "name": "other"}]}"#;

    fn keeps(line: &str, test: Test, is_negated: bool) -> bool {
        let told = Told::read(line).unwrap().unwrap();
        let terms = vec![Term { test, is_negated }];
        let selection = Selection {
            terms,
            ..Selection::default()
        };
        FromLines::new(selection).keeps(&told)
    }

    #[test]
    fn every_test_looks_at_what_the_line_says() {
        let ports = |ports: &str| ports.parse::<Ports>().unwrap();
        let pattern = |text: &str| vec![glob::Pattern::new(text).unwrap()];
        let network = |text: &str| vec![text.parse::<IpNet>().unwrap()];
        let text = |text: &str| vec![text.to_owned()];
        for (holds, does_not) in [
            (Test::Port(ports("443")), Test::Port(ports("80"))),
            (
                Test::LocalPort(ports("40000")),
                Test::LocalPort(ports("443")),
            ),
            (
                Test::RemotePort(ports("443")),
                Test::RemotePort(ports("40000")),
            ),
            (
                Test::Remote(network("64:ff9b::/96")),
                Test::Remote(network("10.0.0.0/8")),
            ),
            (
                Test::Protocol(vec![Protocol::Tcp]),
                Test::Protocol(vec![Protocol::Udp]),
            ),
            (Test::User(vec![1000]), Test::User(vec![1001])),
            (Test::Login(vec![1001]), Test::Login(vec![1000])),
            (
                Test::Cgroup(text("/system.slice")),
                Test::Cgroup(text("/user.slice")),
            ),
            (Test::Netns(vec![7]), Test::Netns(vec![8])),
            (Test::Pid(vec![12]), Test::Pid(vec![13])),
            (Test::Process(text("curl")), Test::Process(text("wget"))),
            (Test::Exe(pattern("/usr/*")), Test::Exe(pattern("/tmp/*"))),
            (
                Test::Direction(vec![Direction::Outbound]),
                Test::Direction(vec![Direction::Inbound]),
            ),
            (
                Test::Container(pattern("4f5e")),
                Test::Container(pattern("5")),
            ),
        ] {
            assert!(keeps(LINE, holds.clone(), false), "{holds:?}");
            assert!(!keeps(LINE, holds.clone(), true), "not {holds:?}");
            assert!(!keeps(LINE, does_not.clone(), false), "{does_not:?}");
            assert!(keeps(LINE, does_not.clone(), true), "not {does_not:?}");
        }
    }

    #[test]
    fn what_is_external_was_judged_by_the_host() {
        assert!(keeps(LINE, Test::External, false));
        let line = LINE.replace(r#""scope": "external""#, r#""scope": "internal""#);
        assert!(!keeps(&line, Test::External, false));
        assert!(!keeps(HELD, Test::External, false));
    }

    #[test]
    fn one_of_those_who_hold_it_is_enough() {
        let other = Test::Process(vec!["other".to_owned()]);
        assert!(keeps(HELD, other.clone(), false));
        // One of them is not.
        assert!(keeps(HELD, other, true));
        assert!(!keeps(HELD, Test::User(vec![0]), false));
    }

    #[test]
    fn what_was_selected_once_is_followed_to_its_end() {
        let record = |event: &str, process: &str, id: &str| {
            let line = format!(
                r#"{{"time": "2026-11-21T00:00:00Z", "event": "{event}", "seq": 1, "host": "a", "id": "{id}",
                "protocol": "tcp", "family": "ipv4", "netns": 7, "attribution": "io",
                "process": {{"pid": 12, "tid": 12, "name": "{process}", "start_time": "2026-11-21T00:00:00Z"}},
                "user": {{"uid": 0, "gid": 0}}, "cgroup": {{"id": 1}}}}"#
            );
            Record::read(&line).unwrap()
        };
        let selection = Selection {
            terms: vec![Term {
                test: Test::Process(vec!["curl".to_owned()]),
                is_negated: false,
            }],
            not_events: vec![Event::Update],
            ..Selection::default()
        };
        let mut following = Following::new(selection);
        for (event, process, id, is_kept) in [
            ("connect", "sh", "1-0", false),
            ("connect", "curl", "2-0", true),
            ("update", "curl", "2-0", false),
            // It was handed over.
            ("established", "sh", "2-0", true),
            ("close", "sh", "2-0", true),
            ("existing", "sh", "2-0", false),
            ("close", "sh", "1-0", false),
        ] {
            let is = following.keeps(&record(event, process, id));
            assert_eq!(is, is_kept, "{event} of {process}, {id}");
        }
        assert!(following.followed.is_empty());
    }

    #[test]
    fn events_and_outcomes_are_selected_too() {
        let told = Told::read(LINE).unwrap().unwrap();
        let selection = Selection {
            events: vec![Event::Close],
            ..Selection::default()
        };
        assert!(!FromLines::new(selection).keeps(&told));
        let accounts: Vec<(u32, String)> = told.accounts().map(|a| (a.uid, a.name)).collect();
        assert_eq!(accounts, [(1000, "alice".into()), (1001, "bob".into())]);
    }
}
