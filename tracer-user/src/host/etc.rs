//! The databases in `/etc`.

use tracer_core::{
    fact::{Account, Service},
    service,
};

/// The host's accounts; none where there is no `/etc/passwd`.
pub fn users() -> Vec<Account> {
    parse_passwd(&text("/etc/passwd"))
}

/// Registered names of ports; none where there is no `/etc/services`.
pub fn services() -> Vec<Service> {
    service::parse(&text("/etc/services"))
}

fn text(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse_passwd(text: &str) -> Vec<Account> {
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
