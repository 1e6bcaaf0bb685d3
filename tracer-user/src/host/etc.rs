//! The databases in `/etc`.

use std::{fs::File, io::Read as _};

use tracer_core::{
    fact::{Account, Named, Service},
    names, service,
};

use super::below;

/// Bytes of a hosts file that are read.
const HOSTS_MAX: u64 = 256 << 10;

/// Registered names of ports: the machine's, or where it has none those that conntracer brings.
pub fn services() -> Vec<Service> {
    let services = service::parse(&text("/etc/services"));
    if services.is_empty() {
        service::built_in()
    } else {
        services
    }
}

/// Names of addresses, as a process sees them; none where it has no `/etc/hosts`.
pub fn hosts(pid: u32) -> Vec<Named> {
    let file = below::file(&format!("/proc/{pid}/root"), "etc/hosts");
    let text = file.map(|file| text_of(file, HOSTS_MAX));
    names::hosts::parse(&text.unwrap_or_default())
}

/// What a file says, as far as it is read.
pub fn text_of(file: File, bytes_max: u64) -> String {
    let mut bytes = Vec::new();
    // What could be read is taken.
    let _ = file.take(bytes_max).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The accounts of an `/etc/passwd`; lines that make no sense are passed over.
pub fn parse_passwd(text: &str) -> Vec<Account> {
    text.lines().filter_map(parse_account).collect()
}

fn parse_account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let uid = fields.nth(1)?.parse().ok()?;
    Some(Account {
        uid,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_and_nonsense_is_passed_over() {
        let accounts = parse_passwd("root:x:0:0:root:/root:/bin/sh\n+nis\n:x:1\nweb:x:33:33::/:\n");
        let names: Vec<(u32, &str)> = accounts.iter().map(|a| (a.uid, a.name.as_str())).collect();
        assert_eq!(names, [(0, "root"), (33, "web")]);
    }
}
