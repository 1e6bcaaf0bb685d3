//! What files that the user names say of the hosts that this one communicates with.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;

use crate::{
    flows::{self, Flow},
    geo::Databases,
    hosts::{Far, Row},
    people::{Profile, Profiles},
    record::{Connection, Endpoint, Record},
    scope::Scope,
    threat::{Hit, Indicators},
};

/// All that such files say.
#[derive(Debug, Default)]
pub struct Enrichment {
    /// What is known for something bad.
    pub indicators: Indicators,
    /// Where addresses are, and whose.
    pub databases: Databases,
    /// Whose accounts are.
    pub profiles: Arc<Profiles>,
}

impl Enrichment {
    /// Says of the other end what is known of it, by its address and by its names.
    pub fn end(&self, end: &mut Endpoint, at: Timestamp) {
        if let Some(scope) = end.scope {
            let names = end.name.iter().chain(&end.names).map(|name| &**name);
            end.threat = self.threat(end.ip, end.port, scope, names, at);
            let place = self.databases.place(end.ip, scope);
            (end.geo, end.network) = (place.geo.map(Arc::new), place.network.map(Arc::new));
        }
    }

    /// Says it of an end of a flow that another device has told of.
    pub fn flow_end(&self, end: &mut flows::End, at: Timestamp) {
        if let (Some(ip), Some(scope)) = (end.ip, end.scope) {
            let names = end.name.iter().map(String::as_str);
            end.threat = self.threat(ip, end.port, scope, names, at);
            let place = self.databases.place(ip, scope);
            (end.geo, end.network) = (place.geo.map(Arc::new), place.network.map(Arc::new));
        }
    }

    /// Says it of the other end of a record's connection.
    pub fn record(&self, record: &mut Record) {
        if let Record::Connection(connection) = record {
            self.connection(connection);
        }
    }

    /// Says it of the other host of a row. An indicator that held while the first of its connections was there has
    /// been met.
    pub fn row(&self, row: &mut Row) {
        let at = row.first_seen.parse().unwrap_or(Timestamp::MIN);
        let (ip, port, name) = match (row.far, &row.source) {
            (Some(Far::Destination), _) => {
                let end = &row.destination;
                (end.ip, end.port, end.name.as_deref())
            }
            (Some(Far::Source), Some(end)) => (end.ip, None, end.name.as_deref()),
            _ => return,
        };
        for user in &mut row.users {
            let name = user.name.as_deref();
            user.profile = name.and_then(|name| self.profiles.of(name)).cloned();
            let profile = user.profile.as_ref();
            row.unexpected |= is_unexpected(profile, ip);
        }
        if let (Some(ip), Some(scope)) = (ip, row.scope) {
            row.threat = self.threat(ip, port, scope, name.into_iter(), at);
            let place = self.databases.place(ip, scope);
            (row.geo, row.network) = (place.geo.map(Arc::new), place.network.map(Arc::new));
        }
    }

    /// Says of a connection whose account it is of: the one that logged in, or else the one that runs the process.
    pub fn account(&self, connection: &mut Connection) {
        let user = connection.owner.as_ref().map(|owner| &owner.user);
        let names = user.into_iter().flat_map(|user| [&user.login, &user.name]);
        let profile = names.flatten().find_map(|name| self.profiles.of(name));
        let ip = connection.remote.as_ref().map(|remote| remote.ip);
        connection.unexpected = is_unexpected(profile, ip);
        connection.profile = profile.cloned();
    }

    /// Says of a flow whose accounts its ends are.
    pub fn accounts(&self, flow: &mut Flow) {
        let (source, destination) = (flow.source.ip, flow.destination.ip);
        for (end, other) in [
            (&mut flow.source, destination),
            (&mut flow.destination, source),
        ] {
            let name = end.user.as_deref();
            end.profile = name.and_then(|name| self.profiles.of(name)).cloned();
            end.unexpected = is_unexpected(end.profile.as_ref(), other);
        }
    }

    fn connection(&self, connection: &mut Connection) {
        // What cannot be read is of no time: then no indicator has ceased to hold.
        let at = connection.head.time.parse().unwrap_or(Timestamp::MIN);
        if let Some(remote) = &mut connection.remote {
            self.end(remote, at);
        }
        self.account(connection);
    }

    /// The indicators that an end meets, those of its address first.
    fn threat<'a>(
        &self,
        ip: IpAddr,
        port: Option<u16>,
        scope: Scope,
        names: impl Iterator<Item = &'a str>,
        at: Timestamp,
    ) -> Vec<Hit> {
        let mut hits = self.indicators.of_address(ip, port, scope, at);
        for name in names {
            for hit in self.indicators.of_name(name, at) {
                if !hits.contains(&hit) {
                    hits.push(hit);
                }
            }
        }
        hits
    }
}

/// Whether an account is not expected to speak with an address.
fn is_unexpected(profile: Option<&Arc<Profile>>, ip: Option<IpAddr>) -> bool {
    let expects = profile
        .zip(ip)
        .and_then(|(profile, ip)| profile.expects(ip));
    expects == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scope::Scope,
        threat::{self, Options},
    };

    fn enrichment(list: &str) -> Enrichment {
        let feed = threat::read("list.txt", list.as_bytes()).unwrap();
        Enrichment {
            indicators: Indicators::new(&[Arc::new(feed)], &[], Options::default()),
            ..Enrichment::default()
        }
    }

    fn end(ip: [u8; 4], scope: Scope, names: &[&str]) -> Endpoint {
        let mut names = names.iter().map(|name| Arc::from(*name));
        Endpoint {
            name: names.next(),
            names: names.collect(),
            scope: Some(scope),
            ..Endpoint::at(ip.into(), 443)
        }
    }

    fn indicators(of: &Enrichment, mut end: Endpoint) -> Vec<String> {
        of.end(&mut end, Timestamp::UNIX_EPOCH);
        let hits = end.threat.iter();
        hits.map(|hit| hit.indicator.to_string()).collect()
    }

    #[test]
    fn an_end_meets_indicators_by_its_address_and_by_its_names() {
        let of = enrichment("203.0.113.9\nevil.example\n");
        let external = Scope::External;
        assert_eq!(
            indicators(&of, end([203, 0, 113, 9], external, &["a.example"])),
            ["203.0.113.9"]
        );
        let named = ["a.example", "EVIL.example", "evil.example."];
        assert_eq!(
            indicators(&of, end([203, 0, 113, 10], external, &named)),
            ["evil.example"]
        );
        // A name leads to whatever its owner says, also to what is near.
        let near = end([10, 0, 0, 1], Scope::Private, &["evil.example"]);
        assert_eq!(indicators(&of, near), ["evil.example"]);
        let near = end([203, 0, 113, 9], Scope::Internal, &[]);
        assert!(indicators(&of, near).is_empty());
    }
}
