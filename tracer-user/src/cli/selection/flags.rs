//! The table of selection flags.

/// A selection flag.
pub struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// The name of its opposite.
    pub negated: &'static str,
    /// What its values are called; `None`: it takes none.
    pub value: Option<&'static str>,
    /// What it selects.
    pub help: &'static str,
    /// `-h` has it, too, and not only `--help`.
    pub is_frequent: bool,
}

impl Flag {
    const fn rare(mut self) -> Self {
        self.is_frequent = false;
        self
    }
}

/// A flag: its name, what its values are called if it has any, and its help.
macro_rules! flag {
    ($name:literal, $value:expr, $help:literal) => {
        Flag {
            name: $name,
            negated: concat!("not-", $name),
            value: $value,
            help: $help,
            is_frequent: true,
        }
    };
}

/// The flags. Each has a negated form, `--not-…`.
pub const FLAGS: [Flag; 19] = [
    flag!(
        "port",
        Some("PORTS"),
        "Port at either end, e.g. 443,8000-8100"
    ),
    flag!("local-port", Some("PORTS"), "Port of this host").rare(),
    flag!("remote-port", Some("PORTS"), "Port of the other host").rare(),
    flag!(
        "remote",
        Some("CIDR"),
        "Address or network of the other host"
    ),
    flag!("external", None, "The other host is external"),
    flag!("protocol", Some("PROTOCOL"), "tcp or udp"),
    flag!("user", Some("NAME|UID"), "User of the process"),
    flag!(
        "login",
        Some("NAME|UID"),
        "User who logged in, kept through sudo"
    )
    .rare(),
    flag!(
        "cgroup",
        Some("PATH"),
        "Beginning of the path of the cgroup"
    )
    .rare(),
    flag!(
        "netns",
        Some("NETNS"),
        "Network namespace: inode number, path, or pid:PID"
    ),
    flag!("pid", Some("PID"), "Process id"),
    flag!(
        "process",
        Some("NAME"),
        "Name of the process or of its executable"
    ),
    flag!(
        "exe",
        Some("PATTERN"),
        "Path of the executable, with * and ?"
    )
    .rare(),
    flag!(
        "direction",
        Some("DIRECTION"),
        "outbound, inbound or listening"
    ),
    flag!(
        "container",
        Some("NAME|ID"),
        "Container, by name or start of id"
    ),
    flag!(
        "pod",
        Some("NAME|UID"),
        "Kubernetes pod, by name or start of UID"
    ),
    flag!("namespace", Some("NAME"), "Kubernetes namespace of the pod"),
    flag!(
        "event",
        Some("EVENT"),
        "existing, connect, established, failed, accept, state, update, close, listen, unlisten, socket, discovery"
    ),
    flag!(
        "outcome",
        Some("OUTCOME"),
        "How it ended, e.g. refused,timeout"
    ),
];
