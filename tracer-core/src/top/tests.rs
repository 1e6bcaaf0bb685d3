//! What is drawn of records that are composed, as text, and what keys do. The expected pictures are in
//! `pictures/`; `BLESS=1` writes them anew.

use std::{net::SocketAddr, path::Path, sync::Arc};

use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

use super::{Action, Key, Look, Model, View};
use crate::{
    clock::{Anchor, Clock},
    container::Container,
    discovery::{
        Analytic, Finding, Severity, Who,
        finding::{Behaviour, Details},
    },
    enrich::Enrichment,
    geo::{As, Geo},
    names::NameSource,
    outcome::Outcome,
    process,
    protocol::Protocol,
    record::{
        self, Ancestor, Attribution, Bytes, Cgroup, Connection, Direction, Endpoint, Event, Filter,
        Head, Id, Loss, Owner, Process, Record, Start, User,
    },
    scope::Scope,
    threat::{self, Indicators, Options},
};

const SECOND: u64 = 1_000_000_000;
/// Now, nanoseconds since boot.
const NOW: u64 = 10_000 * SECOND;
const COLOURED: Look = Look {
    is_coloured: true,
    has_attributes: true,
};
const DUMB: Look = Look {
    is_coloured: false,
    has_attributes: false,
};

fn clock() -> Clock {
    Clock::new(Anchor {
        boot_ns: 0,
        utc_ns: 1_700_000_000_000_000_000,
        offset_s: 3600,
        zone: "CET".to_owned(),
    })
}

fn head(event: Event, ns: u64) -> Head {
    Head {
        time: clock().utc(ns),
        event,
        seq: ns / 1000,
        host: Arc::from("web1"),
    }
}

fn endpoint(text: &str) -> Endpoint {
    let address: SocketAddr = text.parse().unwrap();
    Endpoint::at(address.ip(), address.port())
}

fn owner(name: &str, pid: u32) -> Owner {
    Owner {
        process: Arc::new(Process {
            pid,
            tid: pid,
            ns_pid: None,
            name: name.to_owned(),
            exe: Some(format!("/usr/bin/{name}")),
            args: Some(vec![name.to_owned(), "--all".to_owned()]),
            args_truncated: false,
            start_time: clock().start_time(100),
            tty: None,
            parent: None,
            flags: crate::executable::Flags::default(),
            sha256: None,
            not_hashed: None,
            key: process::Key {
                pid,
                start_ticks: 100,
            },
        }),
        user: User {
            uid: 1000,
            name: Some("deploy".to_owned()),
            name_from: None,
            gid: 1000,
            euid: None,
            auid: None,
            login: None,
            session: None,
        },
        cgroup: Cgroup { id: 1, path: None },
        unit: Some("web.service".to_owned()),
        container: None,
        pod: None,
    }
}

/// A connection that was opened so many seconds ago.
fn connection(seconds: u64, who: Owner, local: &str, remote: &str) -> Connection {
    let opened_ns = NOW - seconds * SECOND;
    Connection {
        head: head(Event::Established, opened_ns),
        id: Id { opened_ns, cpu: 0 },
        protocol: Protocol::Tcp,
        family: "ipv4".into(),
        direction: Some(Direction::Outbound),
        direction_source: None,
        open_before: false,
        hidden_from: Vec::new(),
        old_state: None,
        state: Some("ESTABLISHED".into()),
        outcome: None,
        error: None,
        accepted: None,
        local: Some(endpoint(local)),
        remote: Some(endpoint(remote)),
        requested: None,
        translated: None,
        service: None,
        netns: 1,
        socket: None,
        bytes: Some(Bytes {
            sent: 1000 * seconds,
            received: 12,
        }),
        packets: None,
        rtt_us: None,
        retransmits: None,
        latency_us: None,
        duration_us: None,
        community_id: None,
        attribution: Attribution::Connect,
        owner: Some(Arc::new(who)),
        holders: Vec::new(),
        ancestry: Vec::new(),
        opened_by: None,
        profile: None,
        unexpected: false,
    }
}

/// A plain connection, named by what it is of.
fn plain(seconds: u64, name: &str) -> Connection {
    let remote = format!("192.0.2.{}:443", seconds % 250);
    connection(seconds, owner(name, 700), "10.0.0.1:40000", &remote)
}

fn listener() -> Connection {
    let mut listener = connection(500, owner("sshd", 22), "0.0.0.0:22", "0.0.0.0:0");
    listener.head.event = Event::Existing;
    listener.direction = Some(Direction::Listening);
    listener.state = Some("LISTEN".into());
    listener.remote = None;
    listener.bytes = None;
    listener.open_before = true;
    listener
}

fn start(degraded: &[&str], filter: Filter) -> Record {
    Record::Start(Box::new(Start {
        head: head(Event::Start, NOW - 900 * SECOND),
        args: None,
        window: None,
        uncovered: Vec::new(),
        version: "1.0.0".to_owned(),
        kernel: "6.12".to_owned(),
        boot_id: "b".to_owned(),
        machine_id: String::new(),
        clock: record::Clock {
            boot_ns: 0,
            utc: String::new(),
        },
        hooks: Vec::new(),
        programs: Vec::new(),
        object_sha256: String::new(),
        degraded: degraded.iter().map(|&one| one.to_owned()).collect(),
        not_covered: vec!["connections of another kernel".to_owned()],
        filter,
        external_rules: Vec::new(),
    }))
}

fn of(connection: Connection) -> Record {
    Record::Connection(Box::new(connection))
}

/// The records of a small host: one connection of each kind.
fn scene() -> Vec<Record> {
    let mut curl = owner("curl", 13_236);
    curl.container = Some(Container {
        id: "0123456789abcdef".repeat(4),
        runtime: Some("podman".to_owned()),
        name: Some("shop".to_owned()),
        image: Some("registry.example/shop:2".to_owned()),
    });
    let mut named = connection(42, curl, "10.0.0.1:40000", "198.51.100.9:443");
    if let Some(remote) = &mut named.remote {
        remote.name = Some(Arc::from("api.example"));
        remote.name_source = Some(NameSource::Dns);
        remote.scope = Some(Scope::External);
    }
    named.service = Some(Arc::from("https"));
    named.ancestry = vec![Ancestor {
        pid: 800,
        name: "bash".to_owned(),
        exe: Some("/bin/bash".to_owned()),
    }];
    let mut long = connection(
        3700,
        owner("postgres", 991),
        "[2001:db8:1111:2222:3333:4444:5555:6666]:5432",
        "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:51234",
    );
    long.direction = Some(Direction::Inbound);
    long.open_before = true;
    let mut refused = plain(5, "python3");
    refused.head.event = Event::Failed;
    refused.outcome = Some(Outcome::Refused);
    refused.error = Some("ECONNREFUSED".to_owned());
    refused.bytes = None;
    let mut flow = plain(7, "chrony");
    flow.protocol = Protocol::Udp;
    flow.state = None;
    vec![
        start(&[], Filter::default()),
        of(named),
        of(long),
        of(refused),
        of(flow),
        of(listener()),
    ]
}

fn model(records: &[Record]) -> Model {
    let mut model = Model::new();
    model.take(records, &clock(), NOW);
    model.surveyed();
    model
}

fn view(model: &Model, keys: &[Key]) -> View {
    let mut view = View::default();
    view.refresh(model);
    for key in keys {
        view.on_key(*key, model);
    }
    view
}

fn draw(view: &mut View, model: &Model, width: u16, height: u16, look: Look) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    view.draw(&mut buffer, model, NOW, look);
    buffer
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width).map(|line| {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// What is seen after some keys.
fn seen(records: &[Record], keys: &[Key], width: u16, height: u16) -> String {
    let model = model(records);
    let mut view = view(&model, keys);
    text(&draw(&mut view, &model, width, height, COLOURED))
}

fn check(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/top/pictures/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(picture == expected, "{name} is now\n{picture}");
}

fn typed(text: &str) -> Vec<Key> {
    let typed = text.chars().map(Key::Char);
    [Key::Char('/')].into_iter().chain(typed).collect()
}

#[test]
fn tables_fit_the_terminal() {
    check("connections-80", &seen(&scene(), &[], 80, 12));
    check("connections-120", &seen(&scene(), &[], 120, 12));
    check("connections-220", &seen(&scene(), &[], 220, 12));
    check("connections-40", &seen(&scene(), &[], 40, 12));
    check("hosts-80", &seen(&scene(), &[Key::Tab], 80, 12));
    check("hosts-160", &seen(&scene(), &[Key::Tab], 160, 12));
    check("nothing", &seen(&[], &[], 80, 6));
}

#[test]
fn pages_are_read_in_the_place_of_the_table() {
    let open = [Key::Down, Key::Down, Key::Enter];
    check("details", &seen(&scene(), &open, 80, 40));
    check(
        "details-hosts",
        &seen(&scene(), &[Key::Tab, Key::Enter], 80, 30),
    );
    check("help", &seen(&scene(), &[Key::Char('?')], 80, 24));
    let degraded = start(&["accept is not seen before Linux 9"], Filter::default());
    check("limits", &seen(&[degraded], &[Key::Char('d')], 80, 16));
}

/// One of whose hosts is known for something bad, and where it is.
fn met() -> (Model, Vec<Record>) {
    let feed = threat::read("/etc/feeds/bad.txt", b"198.51.100.9\n").unwrap();
    let enrichment = Arc::new(Enrichment {
        indicators: Indicators::new(&[Arc::new(feed)], &[], Options::default()),
        ..Enrichment::default()
    });
    let mut records = scene();
    for record in &mut records {
        enrichment.record(record);
    }
    if let Some(Record::Connection(connection)) = records.get_mut(1)
        && let Some(remote) = &mut connection.remote
    {
        remote.geo = Some(Arc::new(Geo {
            country: Some("SE".into()),
            city: Some("Lule\u{e5}".into()),
            ..Geo::default()
        }));
        remote.network = Some(Arc::new(As {
            number: 64500,
            organization: Some("Example\u{1b}[2J Net".into()),
        }));
    }
    let mut model = model(&records);
    model.enrich(enrichment);
    (model, records)
}

#[test]
fn what_meets_an_indicator_is_seen_at_once() {
    let (model, _) = met();
    let seen = |keys: &[Key], width: u16, height: u16| {
        let mut view = view(&model, keys);
        text(&draw(&mut view, &model, width, height, COLOURED))
    };
    check("threats-80", &seen(&[], 80, 12));
    check("threats-220", &seen(&[], 220, 12));
    check("threats-hosts-160", &seen(&[Key::Tab], 160, 12));
    let open = [typed("bad.txt"), vec![Key::Enter, Key::Enter]].concat();
    check("threats-details", &seen(&open, 80, 16));
}

#[test]
fn a_connection_meets_indicators_once() {
    let (mut model, records) = met();
    model.take(&records, &clock(), NOW);
    assert!(
        model
            .status()
            .met()
            .unwrap()
            .starts_with("THREAT 1 connection: curl(13236) ")
    );
}

#[test]
fn a_filter_is_shown_as_it_is_typed() {
    let mut keys = typed("CURL api");
    check("typing", &seen(&scene(), &keys, 80, 8));
    keys.push(Key::Enter);
    keys.push(Key::Char('x'));
    check("filtered", &seen(&scene(), &keys, 80, 8));
    keys.push(Key::Esc);
    assert!(!seen(&scene(), &keys, 80, 8).contains("/CURL"));
}

#[test]
fn loss_is_seen_on_every_page_and_in_every_size() {
    let lost = Loss {
        head: head(Event::Loss, NOW),
        lost: [("ring_full".into(), 12), ("map_full".into(), 0)].into(),
        detached: Vec::new(),
        since: clock().utc(0),
    };
    let mut records = scene();
    records[0] = start(&["one", "two"], Filter::default());
    records.push(Record::Loss(Box::new(lost.clone())));
    records.push(Record::Loss(Box::new(lost)));
    let pages = [
        vec![],
        vec![Key::Enter],
        vec![Key::Char('?')],
        vec![Key::Char('d')],
        typed("x"),
    ];
    for keys in pages {
        for (width, height) in [(80, 24), (30, 24), (80, 4), (30, 1)] {
            let seen = seen(&records, &keys, width, height);
            assert!(seen.contains("LOSS 24 ring_full"), "{keys:?} {seen}");
        }
    }
    let paused = seen(&records, &[Key::Char('p')], 80, 24);
    assert!(
        paused.contains("PAUSED") && paused.contains("DEGRADED 2"),
        "{paused}"
    );
}

/// A process of a name has looked at connections.
fn finding(name: &str, severity: Severity) -> Record {
    let who = Who::Seen {
        owner: Arc::new(owner(name, 900)),
        ancestry: Vec::new(),
    };
    let head = head(Event::Discovery, NOW - SECOND);
    let mut finding = Finding::new(head, Analytic::Linux, Details::default(), who);
    finding.severity = severity;
    finding.behaviours = vec![Behaviour::SockDiagDump];
    Record::Discovery(Box::new(finding))
}

#[test]
fn who_looks_at_connections_is_said_on_every_page() {
    let mut records = scene();
    records.push(finding("ss", Severity::Info));
    assert!(!seen(&records, &[], 80, 12).contains("discovery"));
    records.push(finding("lsof", Severity::High));
    records.push(finding("\u{1b}[2Jss", Severity::High));
    records.push(finding("netstat", Severity::Medium));
    check("discovery", &seen(&records, &[], 80, 12));
    let details = seen(&records, &[Key::Enter], 120, 12);
    assert!(
        details.contains("discovery: 3 findings, worst high: "),
        "{details}"
    );
}

#[test]
fn without_colours_and_attributes_there_is_only_text() {
    let model = model(&scene());
    let mut view = view(&model, &[]);
    let buffer = draw(&mut view, &model, 80, 24, DUMB);
    let is_plain = |cell: &ratatui::buffer::Cell| {
        cell.modifier == Modifier::empty() && cell.fg == ratatui::style::Color::Reset
    };
    assert!(buffer.content.iter().all(is_plain));
    assert!(text(&buffer).contains("\n>python3"), "{}", text(&buffer));
}

#[test]
fn a_process_cannot_write_to_the_terminal() {
    let hostile = "\u{1b}[2J\u{202e}a\u{200b}\n日本";
    let mut connection = plain(1, hostile);
    if let Some(remote) = &mut connection.remote {
        remote.name = Some(Arc::from("\u{1b}]0;owned\u{7}"));
    }
    let records = [start(&["\u{1b}[31m"], Filter::default()), of(connection)];
    let pages = [
        vec![],
        vec![Key::Enter],
        vec![Key::Tab],
        vec![Key::Tab, Key::Enter],
        vec![Key::Char('d')],
    ];
    for keys in pages {
        for width in [20, 80, 200] {
            let seen = seen(&records, &keys, width, 40);
            let lines = seen.lines().flat_map(str::chars);
            let raw: Vec<char> = lines.filter(|c| crate::text::is_unsafe(*c)).collect();
            assert_eq!(raw, [], "{keys:?}");
        }
    }
}

#[test]
fn what_is_paused_stays_and_goes_on_later() {
    let mut model = model(&[of(plain(9, "first"))]);
    let mut view = view(&model, &[Key::Char('p')]);
    model.take(&[of(plain(3, "second"))], &clock(), NOW);
    view.refresh(&model);
    let now = |view: &mut View| text(&draw(view, &model, 80, 10, COLOURED));
    assert!(!now(&mut view).contains("second"));
    view.on_key(Key::Char('p'), &model);
    assert!(now(&mut view).contains("second"));
}

#[test]
fn rows_are_sorted_by_the_chosen_column() {
    let records = [of(plain(1, "zsh")), of(plain(9, "awk")), of(listener())];
    let order = |keys: &[Key]| {
        let seen = seen(&records, keys, 80, 10);
        let names = seen.lines().skip(4).filter_map(|line| line.get(1..4));
        names.map(str::to_owned).take(3).collect::<Vec<_>>()
    };
    assert_eq!(order(&[]), ["zsh", "awk", "ssh"]);
    assert_eq!(order(&[Key::Char('r')]), ["awk", "zsh", "ssh"]);
    // Before the age comes what was received, then what was sent.
    assert_eq!(
        order(&[Key::Char('S'), Key::Char('<')]),
        ["awk", "zsh", "ssh"]
    );
    // Behind it comes the first column.
    assert_eq!(order(&[Key::Char('s')]), ["awk", "zsh", "ssh"]);
}

#[test]
fn the_selected_row_stays_selected_where_it_goes() {
    let mut model = model(&[of(plain(9, "first"))]);
    let mut view = view(&model, &[Key::Down]);
    model.take(&[of(plain(3, "second"))], &clock(), NOW);
    view.refresh(&model);
    let seen = text(&draw(&mut view, &model, 80, 10, DUMB));
    assert!(
        seen.contains("\n>first") && seen.contains("\n second"),
        "{seen}"
    );
}

#[test]
fn what_ended_stays_for_ten_seconds() {
    let mut model = model(&[of(plain(9, "first"))]);
    let mut close = plain(9, "first");
    close.head.event = Event::Close;
    close.outcome = Some(Outcome::Finished);
    model.take(&[of(close)], &clock(), NOW);
    assert_eq!((model.open(), model.connections().len()), (0, 1));
    model.keep_time(NOW + 9 * SECOND);
    assert_eq!(model.connections().len(), 1);
    model.keep_time(NOW + 10 * SECOND);
    assert_eq!(model.connections().len(), 0);
}

#[test]
fn what_ended_is_kept_up_to_a_bound() {
    let mut model = Model::new();
    let names = 30_000;
    for nth in 0..names {
        let mut close = plain(9, "short");
        close.id.opened_ns = nth;
        close.head.event = Event::Close;
        model.take(&[of(close)], &clock(), NOW);
    }
    assert_eq!(model.connections().len(), 4096);
    let rows = model.hosts(crate::hosts::Sort::Bytes);
    assert_eq!(rows[0].connections, 16_384);
}

#[test]
fn an_update_keeps_what_only_the_first_record_says() {
    let mut records = scene();
    let Record::Connection(first) = &records[1] else {
        unreachable!()
    };
    let mut update = (**first).clone();
    update.head.event = Event::Update;
    update.ancestry.clear();
    records.push(of(update));
    let seen = seen(&records, &typed("curl"), 80, 10);
    assert!(seen.contains("curl(13236)"), "{seen}");
    let mut keys = typed("curl");
    keys.extend([Key::Enter, Key::Enter]);
    let seen = super::tests::seen(&records, &keys, 80, 40);
    assert!(seen.contains("bash(800)"), "{seen}");
}

#[test]
fn keys_that_quit() {
    let model = model(&scene());
    let key = |keys: &[Key], key| view(&model, keys).on_key(key, &model);
    assert_eq!(key(&[], Key::Char('q')), Action::Quit);
    assert_eq!(key(&[Key::Enter], Key::Char('q')), Action::Quit);
    assert_eq!(key(&[], Key::Ctrl('c')), Action::Quit);
    assert_eq!(key(&typed(""), Key::Char('q')), Action::Draw);
    assert_eq!(key(&typed(""), Key::Ctrl('c')), Action::Quit);
    assert_eq!(key(&[], Key::Ctrl('l')), Action::Repaint);
    assert_eq!(key(&[], Key::Char('y')), Action::Nothing);
}
