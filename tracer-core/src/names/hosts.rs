//! The format of `/etc/hosts`.

use crate::fact::Named;

/// How many names are taken of a file; whoever owns a container may write any.
const NAMES_MAX: usize = 4096;

/// Reads a hosts file; lines that make no sense are passed over.
#[must_use]
pub fn parse(text: &str) -> Vec<Named> {
    text.lines().flat_map(parse_line).take(NAMES_MAX).collect()
}

fn parse_line(line: &str) -> Vec<Named> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let address = words.next().and_then(|word| word.parse().ok());
    let named = |address| {
        move |name: &str| Named {
            address,
            name: name.to_owned(),
        }
    };
    address.map_or_else(Vec::new, |address| words.map(named(address)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_every_address_is_taken() {
        let text = "127.0.0.1\tlocalhost\n\
                    ::1 localhost ip6-localhost # the same\n\
                    # 192.0.2.1 not.example\n\
                    nonsense here\n\
                    192.0.2.7 db.example db\n\
                    192.0.2.8\n";
        let names = parse(text);
        let names: Vec<String> = names
            .iter()
            .map(|named| format!("{} {}", named.address, named.name))
            .collect();
        assert_eq!(
            names,
            [
                "127.0.0.1 localhost",
                "::1 localhost",
                "::1 ip6-localhost",
                "192.0.2.7 db.example",
                "192.0.2.7 db",
            ]
        );
    }

    #[test]
    fn a_file_without_end_is_cut() {
        assert_eq!(parse(&"192.0.2.7 a b c\n".repeat(3000)).len(), NAMES_MAX);
    }
}
