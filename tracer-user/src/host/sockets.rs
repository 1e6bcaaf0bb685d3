//! How many sockets there are.

/// Sockets that are remembered at least, whatever there are.
const MIN: u32 = 65_536;
/// Sockets that are remembered at most: about 150 MB of kernel memory.
const MAX: u32 = 524_288;

/// For how many sockets there shall be room: twice what the machine has now, within bounds.
pub fn room() -> u32 {
    let sockstat = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let now = tcp_sockets(&sockstat).unwrap_or_default();
    now.saturating_mul(2).next_power_of_two().clamp(MIN, MAX)
}

/// TCP sockets of all network namespaces (`alloc`).
fn tcp_sockets(sockstat: &str) -> Option<u32> {
    let line = sockstat.lines().find(|line| line.starts_with("TCP:"))?;
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == "alloc")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted() {
        let text =
            "sockets: used 10\nTCP: inuse 1 orphan 0 tw 0 alloc 100001 mem 1\nUDP: inuse 0\n";
        assert_eq!(tcp_sockets(text), Some(100_001));
        assert_eq!(tcp_sockets("TCP: inuse 1\n"), None);
    }
}
