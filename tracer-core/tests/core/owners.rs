//! From what the kernel says of a task to the owner that is written.

use tracer_abi::{Attribution as Raw, Identity, Name, exec_flag, identity_flag};
use tracer_core::{
    attribution::{Knowledge, attribution},
    clock::{Anchor, Clock},
    fact::{Account, Question},
    record::{Attribution, Owner, User},
};

use crate::processes::{at, exec, fork, shown};

/// A tick is 10 ms, and the machine was booted with 1970.
fn clock() -> Clock {
    Clock::new(Anchor {
        boot_ns: 0,
        utc_ns: 0,
        offset_s: 0,
        zone: "UTC".to_owned(),
    })
}

fn account(uid: u32, name: &str) -> Account {
    Account {
        uid,
        name: name.to_owned(),
    }
}

/// Two accounts, and a shell that `/proc` shows, which started curl.
fn knowledge() -> Knowledge {
    let mut knowledge = Knowledge::default();
    knowledge.learn_users(&[account(0, "root"), account(1000, "ann"), account(0, "toor")]);
    knowledge.processes.learn(&shown(100, 1000, 1, "sh"));
    let (shell, curl) = (at(100, 1000, 1), at(200, 2000, 2));
    knowledge
        .processes
        .fork(&fork(at(200, 2000, 1), shell, "sh"));
    knowledge.processes.exec(&exec(curl, shell, "curl"));
    knowledge
}

/// curl, of a user that logged in and is root now.
fn curl() -> Identity {
    Identity {
        uid: 0,
        gid: 5,
        euid: 0,
        auid: 1000,
        audit_session: 3,
        ..at(200, 2000, 2).identity("curl")
    }
}

fn owner(knowledge: &Knowledge, identity: &Identity) -> Owner {
    knowledge.owner(identity, &clock())
}

#[test]
fn an_owner_is_process_program_and_parent() {
    let identity = Identity { tid: 201, ..curl() };
    let process = owner(&knowledge(), &identity).process;
    assert_eq!((process.pid, process.tid, process.ns_pid), (200, 201, None));
    assert_eq!(process.name, "curl");
    assert_eq!(process.exe.as_deref(), Some("/bin/curl"));
    assert_eq!(
        process.args.as_deref(),
        Some(["curl".to_owned()].as_slice())
    );
    assert_eq!(process.start_time, "1970-01-01T00:00:20.00Z");
    assert!(process.tty.is_none() && !process.exe_deleted && !process.args_truncated);
    let parent = process.parent.as_ref().unwrap();
    assert_eq!((parent.pid, parent.name.as_str()), (100, "sh"));
    assert_eq!(parent.exe.as_deref(), Some("/bin/sh"));
    assert_eq!(parent.args, None);
    assert_eq!(parent.start_time, "1970-01-01T00:00:10.00Z");
}

#[test]
fn what_is_not_known_of_a_process_is_absent() {
    let stranger = at(7, 0, 0).identity("stranger");
    let process = owner(&Knowledge::default(), &stranger).process;
    assert_eq!((process.pid, process.name.as_str()), (7, "stranger"));
    assert_eq!((&process.exe, &process.args), (&None, &None));
    assert!(process.parent.is_none() && process.tty.is_none());
}

#[test]
fn a_process_in_a_container_has_its_id_there() {
    let identity = Identity {
        ns_tgid: 1,
        ..curl()
    };
    assert_eq!(owner(&knowledge(), &identity).process.ns_pid, Some(1));
}

#[test]
fn an_executable_without_a_name_was_deleted_or_never_had_one() {
    for (exe, flags, is_deleted, is_memfd) in [
        ("/bin/x", 0, false, false),
        ("/bin/x", exec_flag::EXE_DELETED, true, false),
        ("/memfd:x", exec_flag::EXE_DELETED, true, true),
        // A directory can be called that.
        ("/memfd:x", 0, false, false),
    ] {
        let mut knowledge = knowledge();
        let mut frame = exec(at(200, 2000, 3), at(100, 1000, 1), "x");
        frame.exe = exe.to_owned();
        frame.fixed.flags = flags | exec_flag::ARGS_TRUNCATED;
        frame.fixed.tty = Name(*b"pts0\0\0\0\0\0\0\0\0\0\0\0\0");
        knowledge.processes.exec(&frame);
        let process = owner(&knowledge, &at(200, 2000, 3).identity("x")).process;
        assert_eq!(process.exe.as_deref(), Some(exe));
        let found = (process.exe_deleted, process.exe_memfd);
        assert_eq!(found, (is_deleted, is_memfd), "{exe} {flags}");
        assert!(process.args_truncated);
        assert_eq!(process.tty.as_deref(), Some("pts0"));
    }
}

#[test]
fn users_are_named_by_the_hosts_accounts() {
    let root = User {
        uid: 0,
        name: Some("root".to_owned()),
        name_from: Some("host"),
        gid: 5,
        euid: None,
        auid: Some(1000),
        login: Some("ann".to_owned()),
        session: Some(3),
    };
    assert_eq!(owner(&knowledge(), &curl()).user, root);

    let daemon = Identity {
        uid: 33,
        auid: u32::MAX,
        audit_session: u32::MAX,
        ..curl()
    };
    let unnamed = User {
        uid: 33,
        name: None,
        name_from: None,
        euid: Some(0),
        auid: None,
        login: None,
        session: None,
        ..root
    };
    assert_eq!(owner(&knowledge(), &daemon).user, unnamed);
}

#[test]
fn users_of_a_container_are_not_the_hosts_but_logins_are() {
    let mut knowledge = knowledge();
    let id = "0123456789abcdef".repeat(4);
    let path = format!("/system.slice/docker-{id}.scope");
    knowledge.cgroups.learn(9, false, &path);
    let identity = Identity {
        cgroup_id: 9,
        ..curl()
    };
    let owner = owner(&knowledge, &identity);
    assert_eq!(owner.container.map(|container| container.id), Some(id));
    assert_eq!(owner.cgroup.path, Some(path));
    assert_eq!((owner.user.name, owner.user.name_from), (None, None));
    assert_eq!(owner.user.login.as_deref(), Some("ann"));
}

#[test]
fn cgroups_of_the_two_hierarchies_are_told_apart() {
    let mut knowledge = knowledge();
    knowledge
        .cgroups
        .learn(9, false, "/system.slice/new.service");
    knowledge
        .cgroups
        .learn(9, true, "/system.slice/old.service");
    for (flags, unit) in [
        (0, "new.service"),
        (identity_flag::CGROUP_V1, "old.service"),
    ] {
        let identity = Identity {
            cgroup_id: 9,
            flags,
            ..curl()
        };
        assert_eq!(owner(&knowledge, &identity).unit.as_deref(), Some(unit));
    }
    let elsewhere = Identity {
        cgroup_id: 10,
        ..curl()
    };
    let owner = owner(&knowledge, &elsewhere);
    assert_eq!((owner.cgroup.id, owner.cgroup.path), (10, None));
}

#[test]
fn only_what_is_not_known_is_asked() {
    let mut knowledge = knowledge();
    let asked = |knowledge: &Knowledge, identity: &Identity| -> Vec<Question> {
        knowledge.questions(identity).collect()
    };
    let stranger = Identity {
        cgroup_id: 9,
        flags: identity_flag::CGROUP_V1,
        ..at(7, 70, 0).identity("stranger")
    };
    let process = Question::Process {
        pid: 7,
        start_ticks: 70,
    };
    let cgroup = Question::Cgroup { id: 9, is_v1: true };
    assert_eq!(asked(&knowledge, &stranger), [process, cgroup]);
    knowledge.cgroups.learn(9, true, "/");
    assert_eq!(asked(&knowledge, &stranger), [process]);
    knowledge.processes.learn(&shown(7, 70, 1, "stranger"));
    assert_eq!(asked(&knowledge, &stranger), []);
}

#[test]
fn ancestry_names_the_parent_first() {
    let identity = Identity { sid: 100, ..curl() };
    let ancestry = knowledge().ancestry(&identity);
    let named = ancestry
        .iter()
        .map(|a| (a.pid, a.name.as_str(), a.exe.as_deref()));
    assert!(named.eq([(100, "sh", Some("/bin/sh"))]));
    assert!(Knowledge::default().ancestry(&identity).is_empty());
}

#[test]
fn an_attribution_that_no_program_writes_is_none() {
    for (raw, expected) in [
        (Raw::NONE, Attribution::None),
        (Raw::CONNECT, Attribution::Connect),
        (Raw::ACCEPT, Attribution::Accept),
        (Raw::LISTEN, Attribution::Listen),
        (Raw::CLOSE, Attribution::Close),
        (Raw::CLOSE + 1, Attribution::None),
        (u8::MAX, Attribution::None),
    ] {
        assert_eq!(attribution(raw), expected);
    }
}
