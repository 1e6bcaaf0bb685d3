//! Registered names of ports.

use std::{collections::HashMap, sync::Arc};

use crate::{fact, protocol::Protocol};

/// Port and protocol → registered name.
#[derive(Debug, Default)]
pub struct Services {
    names: HashMap<(Protocol, u16), Arc<str>>,
}

impl Services {
    /// From the services database; of several names of a port the first.
    #[must_use]
    pub fn new(services: &[fact::Service]) -> Self {
        let mut names = HashMap::new();
        for service in services {
            if let Some(protocol) = Protocol::of_word(&service.protocol) {
                names
                    .entry((protocol, service.port))
                    .or_insert_with(|| Arc::from(service.name.as_str()));
            }
        }
        Self { names }
    }

    /// The registered name of a port.
    #[must_use]
    pub fn name(&self, protocol: Protocol, port: u16) -> Option<Arc<str>> {
        self.names.get(&(protocol, port)).cloned()
    }
}

/// The registry of IANA, as far as it is likely to be wanted: for machines without a database of
/// their own.
const BUILT_IN: &str = include_str!("../data/services");

/// Registered names where the machine has no services database.
#[must_use]
pub fn built_in() -> Vec<fact::Service> {
    parse(BUILT_IN)
}

/// Reads the format of `/etc/services`; lines that make no sense are passed over.
#[must_use]
pub fn parse(text: &str) -> Vec<fact::Service> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<fact::Service> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    Some(fact::Service {
        port: port.parse().ok()?,
        protocol: protocol.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_services_database() {
        let text = "# comment\nssh\t22/tcp\nhttps 443/tcp # web\nhttps 443/udp\nbad\nworse x/tcp\n\
                    www 443/tcp\n";
        let services = Services::new(&parse(text));
        assert_eq!(services.name(Protocol::Tcp, 22).as_deref(), Some("ssh"));
        assert_eq!(services.name(Protocol::Tcp, 443).as_deref(), Some("https"));
        assert_eq!(services.name(Protocol::Tcp, 80), None);
    }
    #[test]
    fn every_line_of_the_built_in_table_is_a_name() {
        let lines = BUILT_IN.lines().filter(|line| !line.starts_with('#'));
        let built_in = built_in();
        assert_eq!(built_in.len(), lines.count());
        let services = Services::new(&built_in);
        // No port has two names.
        assert_eq!(services.names.len(), built_in.len());
        for (protocol, port, name) in [
            (Protocol::Tcp, 22, "ssh"),
            (Protocol::Udp, 53, "domain"),
            (Protocol::Tcp, 80, "http"),
            (Protocol::Tcp, 443, "https"),
            (Protocol::Tcp, 5432, "postgresql"),
        ] {
            assert_eq!(services.name(protocol, port).as_deref(), Some(name));
        }
    }
}
