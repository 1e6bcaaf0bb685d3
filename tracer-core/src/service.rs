//! Registered names of ports.

use std::{collections::HashMap, sync::Arc};

use crate::fact;

/// Port and protocol → registered name.
#[derive(Debug, Default)]
pub struct Services {
    tcp: HashMap<u16, Arc<str>>,
}

impl Services {
    /// From the services database; of several names of a port the first.
    #[must_use]
    pub fn new(services: &[fact::Service]) -> Self {
        let mut tcp = HashMap::new();
        for service in services.iter().filter(|s| s.protocol == "tcp") {
            tcp.entry(service.port)
                .or_insert_with(|| Arc::from(service.name.as_str()));
        }
        Self { tcp }
    }

    /// The registered name of a TCP port.
    #[must_use]
    pub fn tcp(&self, port: u16) -> Option<Arc<str>> {
        self.tcp.get(&port).cloned()
    }
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
        assert_eq!(services.tcp(22).as_deref(), Some("ssh"));
        assert_eq!(services.tcp(443).as_deref(), Some("https"));
        assert_eq!(services.tcp(80), None);
    }
}
