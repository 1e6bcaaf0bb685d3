//! What stands at the end of the help of each command: one example behind `-h`, more behind `--help`.

/// The end of a command's help.
pub struct Examples {
    /// Behind `-h`.
    pub short: &'static str,
    /// Behind `--help`.
    pub long: &'static str,
}

/// How selecting works, where `--help` has the flags for it.
macro_rules! selecting {
    () => {
        "Values of one flag are alternatives, different flags must all match, --any makes one enough. Each \
         selecting flag has its opposite, e.g. --not-port or --not-process. A connection that matched once is \
         followed to its close."
    };
}

/// `conntracer` and `conntracer trace`
pub const TRACE: Examples = Examples {
    short: "Example: conntracer --external --not-process sshd",
    long: concat!(
        selecting!(),
        "\n\n\
Examples:
  What this host does on the internet, but for SSH:
    conntracer --external --not-process sshd
  Attempts that fail, for half a minute, as JSON:
    conntracer trace --event failed --duration 30s -o json
  What happened in the last two hours, from the history that an agent keeps:
    conntracer trace --since 2h --external
  Record everything without leaving a file here:
    ssh host conntracer --record - > case.rec

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer replay`
pub const REPLAY: Examples = Examples {
    short: "Example: conntracer replay case.rec --external",
    long: concat!(
        selecting!(),
        "\n\n\
Examples:
  What went to the internet while it was recorded:
    conntracer replay case.rec --external
  One user's connections, as rows:
    conntracer replay case.rec --user www-data -o csv --output-file case.csv

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost, 4 sockets are hidden."
    ),
};

/// `conntracer snapshot`
pub const SNAPSHOT: Examples = Examples {
    short: "Example: conntracer snapshot --cross-check",
    long: concat!(
        selecting!(),
        "\n\n\
Examples:
  Who listens:
    conntracer snapshot --direction listening
  What is hidden from ss or netstat:
    conntracer snapshot --cross-check
  What was open at ten past three, by the history that an agent keeps:
    conntracer snapshot --at 03:10

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost, 4 sockets are hidden."
    ),
};

/// `conntracer hosts`
pub const HOSTS: Examples = Examples {
    short: "Example: conntracer hosts --external --duration 30s",
    long: concat!(
        "Without --duration, --watch and --from: what is open now, and listeners that nobody uses.\n\n",
        selecting!(),
        "\n\n\
Examples:
  Who speaks HTTPS, and how much, in half a minute:
    conntracer hosts --port 443 --duration 30s
  The same of a small fleet, from files:
    conntracer hosts --from web1.rec db1.json --external --sort last-seen
  Of the last month, from the history that an agent keeps:
    conntracer hosts --external --since 30d

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer report`
pub const REPORT: Examples = Examples {
    short: "Example: conntracer report --from case.rec --output-file report.html",
    long: concat!(
        "The page asks nobody for anything: it can be sent, printed and opened anywhere. With --since, what the files \
         have from before is what tells a destination that is new from one that was known.\n\n",
        selecting!(),
        "\n\n\
Examples:
  What a recording tells:
    conntracer report --from case.rec --output-file report.html
  What happened yesterday, by the history that an agent keeps:
    conntracer report --since yesterday --until today --output-file report.html
  Two hosts, in the two hours that matter, by what they did before:
    conntracer report --from web1.rec db1.json --since 2026-11-20T03:00Z --until 2026-11-20T05:00Z \
--output-file report.html

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer export` and `conntracer export nemesis`
pub const EXPORT: Examples = Examples {
    short: "Example: conntracer export nemesis --from case.rec --dry-run",
    long: concat!(
        "Without --from and --duration: what is open now.\n\
The password is in --password-file, or in the environment: CONNTRACER_NEMESIS_PASSWORD.\n\n",
        selecting!(),
        "\n\n\
Examples:
  What would be posted, and nothing is:
    conntracer export nemesis --from case.rec --dry-run
  What a recording has of the internet, to a project:
    conntracer export nemesis --from case.rec --external --url https://nemesis.example --user ir \
--nemesis-project IR-2026-014

Exit codes: 0 all was taken, 1 something was not, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer discovery`
pub const DISCOVERY: Examples = Examples {
    short: "Example: conntracer discovery --severity medium",
    long: concat!(
        "By the detection strategy DET0320 of ATT&CK, analytic AN0904, by what processes do and not by what they \
         are called; the mutable elements are the section [discovery] of the configuration. One process is one \
         finding, told when it ends or when it does nothing more.\n\n",
        selecting!(),
        "\n\n\
Examples:
  Who looks at the connections of this host and should not:
    conntracer discovery --severity medium
  Accounts of services, with the hashes of what they run, for a SIEM:
    conntracer discovery --user www-data,postgres --hash -o ecs
  Who did while it was recorded, by trace --discovery or by this command:
    conntracer discovery --from case.rec
  In the logs of other platforms:
    conntracer discovery read audit.log

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer discovery read`
pub const DISCOVERY_READ: Examples = Examples {
    short: "Example: conntracer discovery read audit.log",
    long: "\
By the detection strategy DET0320 of ATT&CK. What kind of log a file is, is seen by its first lines; the \
mutable elements are the section [discovery] of the configuration.

Examples:
  Who listed connections, and what is odd about it:
    conntracer discovery read audit.log
  What matters, of several platforms, in the order of time:
    conntracer discovery read --severity medium sysmon.xml audit.log cloudtrail.json
  For a SIEM:
    conntracer discovery read -o ecs audit.log

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 lines could not be read.",
};

/// `conntracer flows`
pub const FLOWS: Examples = Examples {
    short: "Example: conntracer flows read fw.log --external",
    long: "\
Examples:
  What a firewall let through to the internet, by its log:
    conntracer flows read fw.log --external

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 something could not be read.",
};

/// `conntracer flows read`
pub const FLOWS_READ: Examples = Examples {
    short: "Example: conntracer flows read fw.log --external",
    long: "\
What a file is, is seen by how it begins: a log of lines, a capture, packets of NetFlow or IPFIX one after the other, and any of \
them compressed with gzip or zstd. What one file says of templates and connections counts for those behind it. Ports, addresses and \
accounts are looked for at both ends, since nobody says which of them this host is.

Examples:
  What a firewall let through to the internet, by its log:
    conntracer flows read fw.log --external
  Who talked to an address, by the exports of a router and by the log of a firewall, as one table:
    conntracer flows read --remote 203.0.113.9 exports.pcap fw.log.gz -o csv
  What is appended to the logs of a directory, until Ctrl-C:
    conntracer flows read --follow /var/log/firewalls
  A log that an appliance in New York wrote, for a SIEM:
    conntracer flows read --format panos-traffic --tz -05:00 traffic.csv -o ecs

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 something could not be read.",
};

/// `conntracer flows attribute`
pub const FLOWS_ATTRIBUTE: Examples = Examples {
    short: "Example: conntracer flows attribute fw.log",
    long: "\
Each flow is one of: matched, with the process; translated, with the process, if this host translates addresses of containers; ambiguous, if connections of several processes had its ends; absent, if this host was watched and \
no process made it; not_arrived, if the device did not let it through to this host; uncovered, if it was not watched; elsewhere, if it was not of this \
host. How far the clocks are apart is estimated from all flows, and said.

Examples:
  Which process made what the firewall saw, by the history of the agent:
    conntracer flows attribute fw.log
  The same by a recording, only to one address, as JSON:
    conntracer flows attribute exports.pcap --from case.rec --remote 203.0.113.9 -o json
  What this host sent to the internet and the firewall did not log:
    conntracer flows attribute fw.log --unlogged

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 something could not be read.",
};

/// `conntracer flows listen`
pub const FLOWS_LISTEN: Examples = Examples {
    short: "Example: conntracer flows listen --netflow 0.0.0.0:2055",
    long: "\
Nothing is sent. What lines do not say of their format is seen of each sender by what its lines look like. Templates are kept for each \
exporter and each of its domains, and what waits for its template is bounded. What was missed, by the numbers of packets and by what the \
kernel had no room for, is told at the end, and makes the exit code 3.

Examples:
  What a router exports, until Ctrl-C:
    conntracer flows listen --netflow 0.0.0.0:2055
  What goes to the internet by a firewall's log and a switch's samples, for an hour, as JSON:
    conntracer flows listen --syslog 0.0.0.0:514 --sflow 0.0.0.0:6343 --external --duration 1h -o json

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 something was missed or could not be read.",
};

/// `conntracer top`
pub const TOP: Examples = Examples {
    short: "Example: conntracer top --external\n\n\
        Keys: Tab hosts or connections, / filter, Enter details, s sort, x external, p pause, ? help, q quit.",
    long: concat!(
        "Keys: Tab hosts or connections, / filter, Enter details, s sort, x external, p pause, ? help, q \
         quit. What is said on stderr is held while the screen is up: d shows it, and it is written in the \
         end.\n\n",
        selecting!(),
        "\n\n\
Examples:
  What this host does on the internet:
    conntracer top --external
  One port, with every change of state:
    conntracer top --port 443 --states

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer agent`
pub const AGENT: Examples = Examples {
    short: "Example: conntracer agent --keep 30d --max-size 4G",
    long: concat!(
        "It runs until it is ended; SIGHUP has it read its configuration again. docs/agent.md says what is kept, for \
         how long, and what is lost when.\n\n",
        selecting!(),
        "\n\n\
Examples:
  Details of a month, in four gigabytes at most:
    conntracer agent --keep 30d --max-size 4G
  What goes to the internet, in a file of this case:
    conntracer agent --external --history case.db
  Everything in the history, what goes to the internet on stdout:
    conntracer agent --stream=--external
  With pages for whoever watches it, at http://127.0.0.1:9642/healthz, /readyz and /metrics:
    conntracer agent --health 127.0.0.1:9642
  On a node of Kubernetes, with the names of its pods from the API server:
    conntracer agent --pods-of-node worker-1.example.com

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 records were lost."
    ),
};

/// `conntracer doctor`
pub const DOCTOR: Examples = Examples {
    short: "Example: conntracer doctor --self-test",
    long: "\
Examples:
  What this kernel grants:
    conntracer doctor
  Whether that is seen indeed:
    conntracer doctor --self-test

Exit codes: 0 done, 1 it failed or the self-test missed something, 2 wrong usage.",
};

/// `conntracer completions`
pub const COMPLETIONS: Examples = Examples {
    short: "Example: conntracer completions bash",
    long: "\
Examples:
  For this shell:
    . <(conntracer completions bash)
  For every one:
    conntracer completions bash > /etc/bash_completion.d/conntracer",
};

/// `conntracer man`
pub const MAN: Examples = Examples {
    short: "Example: conntracer man hosts",
    long: "\
Examples:
  To read it here:
    conntracer man | man -l -
  To install the page of a command:
    conntracer man hosts > /usr/local/share/man/man1/conntracer-hosts.1",
};

/// `conntracer history`
pub const HISTORY: Examples = Examples {
    short: "Example: conntracer history info",
    long: "\
What it says of connections, trace, hosts, discovery, snapshot and report answer: with --since,
--until or --at. docs/history.md has more.

Examples:
  How far back it goes, and when nothing was recorded:
    conntracer history info
  A copy to take along:
    conntracer history export --output-file case.db",
};

/// `conntracer history info`
pub const HISTORY_INFO: Examples = Examples {
    short: "Example: conntracer history info",
    long: "\
Examples:
  How far back it goes, and when nothing was recorded:
    conntracer history info
  The same of a copy, for a program:
    conntracer history info --history copy.db -o json

Exit codes: 0 done, 1 it failed, 2 wrong usage.",
};

/// `conntracer history prune`
pub const HISTORY_PRUNE: Examples = Examples {
    short: "Example: conntracer history prune --keep 7d",
    long: "\
An agent does so by itself, by its configuration; while one writes to the history, this is refused.

Examples:
  Only a week of details, for the file is to be handed over:
    conntracer history prune --keep 7d --history copy.db

Exit codes: 0 done, 1 it failed, 2 wrong usage.",
};

/// `conntracer history export`
pub const HISTORY_EXPORT: Examples = Examples {
    short: "Example: conntracer history export --output-file case.db",
    long: "\
The copy is whole in itself, whatever the agent writes meanwhile. For records as JSON there is
trace --since … -o json.

Examples:
  A copy to take along:
    conntracer history export --output-file case.db
  And to ask it elsewhere, without root:
    conntracer hosts --external --history case.db

Exit codes: 0 done, 1 it failed, 2 wrong usage.",
};

/// `conntracer history import`
pub const HISTORY_IMPORT: Examples = Examples {
    short: "Example: conntracer history import --from case.rec --history case.db",
    long: "\
Findings come of recordings that were made with --discovery. A file that is imported again is there twice.

Examples:
  A history of what was recorded, to be asked many times:
    conntracer history import --from monday.rec tuesday.rec --history case.db

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 what was read is not complete.",
};

/// `conntracer history verify`
pub const HISTORY_VERIFY: Examples = Examples {
    short: "Example: conntracer history verify",
    long: "\
It reads all of the file. Sums are compared as long as nothing was removed.

Examples:
  Whether what was copied is what was there:
    conntracer history verify --history case.db

Exit codes: 0 it is whole, 1 it is not or cannot be read, 2 wrong usage.",
};
