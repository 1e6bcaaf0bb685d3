-- The history of a host, first version. All times are nanoseconds since 1970, UTC.

-- A run of the agent. One that has no end was killed, or is under way: until its last heartbeat it was there.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    started INTEGER NOT NULL,
    heartbeat INTEGER NOT NULL,
    stopped INTEGER,
    -- Its first and its last record, as JSON.
    start TEXT NOT NULL,
    stop TEXT
) STRICT;

-- When a run was there and the history lacks something all the same: `silent` (there was no heartbeat), or
-- `dropped` (so many records could not be written, e.g. to a disk that was full).
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    why TEXT NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Words and names, each once.
CREATE TABLE text (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Addresses, each once for each scope that it had. Of this end there is none: ''.
CREATE TABLE address (
    id INTEGER PRIMARY KEY,
    ip TEXT NOT NULL,
    scope TEXT NOT NULL,
    UNIQUE (ip, scope)
) STRICT;

-- Programs with their users, units and containers: what remains of an owner without its process.
CREATE TABLE party (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    -- JSON: name, exe and what is odd about it, sha256, uid, user, user_from, login, unit, container, pod.
    party TEXT NOT NULL
) STRICT;

-- Owners, each once.
CREATE TABLE owner (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    party INTEGER NOT NULL REFERENCES party,
    pid INTEGER NOT NULL,
    -- JSON: the fields of a record that name an owner, without the thread.
    owner TEXT NOT NULL
) STRICT;

-- A connection or listener, by what its records said.
CREATE TABLE connection (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    -- What names it on its host and boot: nanoseconds since boot, and a CPU.
    opened_ns INTEGER NOT NULL,
    cpu INTEGER NOT NULL,
    -- Times of its first and of its newest record, of `established`, and of its last.
    first INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    established INTEGER,
    closed INTEGER,
    -- The words of the first record, and of the newest.
    event INTEGER NOT NULL REFERENCES text,
    last_event INTEGER NOT NULL REFERENCES text,
    -- 6 or 17.
    protocol INTEGER NOT NULL,
    -- What is on the wire: 4 or 6.
    family INTEGER NOT NULL,
    -- 0: not known, 1: outbound, 2: inbound, 3: listening.
    direction INTEGER NOT NULL,
    -- 1: the direction is inferred, 2: it is older than the run, 4: no process took it.
    flags INTEGER NOT NULL,
    state INTEGER REFERENCES text,
    outcome INTEGER REFERENCES text,
    error INTEGER REFERENCES text,
    local INTEGER REFERENCES address,
    local_port INTEGER,
    remote INTEGER REFERENCES address,
    remote_port INTEGER,
    remote_name INTEGER REFERENCES text,
    name_source INTEGER REFERENCES text,
    -- The port that was connected to, and the other one.
    port INTEGER,
    other_port INTEGER,
    service INTEGER REFERENCES text,
    netns INTEGER NOT NULL,
    -- What had moved by its newest record; of what is older than the run, by its first, too.
    sent INTEGER,
    received INTEGER,
    first_sent INTEGER,
    first_received INTEGER,
    packets_sent INTEGER,
    packets_received INTEGER,
    rtt_us INTEGER,
    retransmits INTEGER,
    latency_us INTEGER,
    duration_us INTEGER,
    attribution INTEGER NOT NULL REFERENCES text,
    owner INTEGER REFERENCES owner,
    tid INTEGER,
    -- JSON: the ancestry of the first record.
    ancestry INTEGER REFERENCES text,
    -- JSON, where there is any of it: requested, translated, holders, opened_by, names.
    extra TEXT
) STRICT;

CREATE INDEX connection_first ON connection (first);
CREATE INDEX connection_closed ON connection (closed);
-- What was open at a time: of those that lasted up to an hour by when they began, of the others by this.
CREATE INDEX connection_long ON connection (closed) WHERE closed - first > 3600000000000;
CREATE INDEX connection_remote ON connection (remote, first);
CREATE INDEX connection_port ON connection (port, first);

-- What had moved by then, of connections that were open for longer: each time that it was more.
CREATE TABLE count (
    connection INTEGER NOT NULL REFERENCES connection,
    time INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (connection, time)
) STRICT, WITHOUT ROWID;

CREATE INDEX count_time ON count (time);

-- All other records, as JSON: `socket`, `discovery`, `loss`.
CREATE TABLE other (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    time INTEGER NOT NULL,
    event TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;

CREATE INDEX other_time ON other (event, time);

-- Sums of connections: of minutes, hours and days, in UTC.
CREATE TABLE rollup (
    -- How long, in seconds: 60, 3600 or 86400; and from when on, in seconds since 1970.
    level INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    -- 0: none is known.
    party INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    -- 0: none.
    local INTEGER NOT NULL,
    remote INTEGER NOT NULL,
    -- The port that was connected to; the other one if it is below 1024, else 0. -1: none.
    port INTEGER NOT NULL,
    other_port INTEGER NOT NULL,
    netns INTEGER NOT NULL,
    -- How the attempt failed; 0: it did not.
    failed INTEGER NOT NULL,
    -- Those that began in it, and those of which something was told in it that began before.
    opened INTEGER NOT NULL,
    continued INTEGER NOT NULL,
    -- What moved in it.
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    -- Times of the first and of the newest record of them in it.
    first INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    -- 1: one of them has a direction that is inferred, 2: is older than its run.
    flags INTEGER NOT NULL,
    -- By the newest of them.
    remote_name INTEGER,
    service INTEGER,
    state INTEGER,
    PRIMARY KEY (level, bucket, port, remote, party, protocol, direction, local, other_port, netns, failed)
) STRICT, WITHOUT ROWID;

-- How far back each kind of row is complete: what is older was removed.
CREATE TABLE kept (
    -- `connection`, 60, 3600, 86400, `other`.
    what TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For people: what a connection is, in words.
CREATE VIEW connections AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', c.first / 1e9, 'unixepoch') AS opened,
    strftime('%Y-%m-%dT%H:%M:%fZ', c.closed / 1e9, 'unixepoch') AS closed,
    CASE c.protocol WHEN 6 THEN 'tcp' ELSE 'udp' END AS protocol,
    CASE c.direction WHEN 1 THEN 'outbound' WHEN 2 THEN 'inbound' WHEN 3 THEN 'listening' END AS direction,
    l.ip AS local_ip,
    c.local_port,
    r.ip AS remote_ip,
    c.remote_port,
    n.text AS remote_name,
    r.scope AS scope,
    s.text AS state,
    x.text AS outcome,
    c.sent,
    c.received,
    o.pid,
    json_extract(o.owner, '$.process.name') AS process,
    json_extract(o.owner, '$.process.exe') AS exe,
    json_extract(o.owner, '$.user.name') AS user,
    json_extract(o.owner, '$.container.id') AS container
FROM connection c
LEFT JOIN address l ON l.id = c.local
LEFT JOIN address r ON r.id = c.remote
LEFT JOIN text n ON n.id = c.remote_name
LEFT JOIN text s ON s.id = c.state
LEFT JOIN text x ON x.id = c.outcome
LEFT JOIN owner o ON o.id = c.owner;
