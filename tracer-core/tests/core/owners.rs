//! From what the kernel says of a task to the owner that is written.

use tracer_abi::{Attribution as Raw, Identity, Name, exec_flag, identity_flag};
use tracer_core::{
    attribution::{Knowledge, attribution},
    clock::{Anchor, Clock},
    fact::{self, Account, Executable, Hash, Question, Resident},
    process::Key,
    record::{Attribution, NameFrom, Owner, User},
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

fn owner(knowledge: &mut Knowledge, identity: &Identity) -> Owner {
    Owner::clone(&knowledge.owner(identity, &clock()))
}

#[test]
fn an_owner_is_process_program_and_parent() {
    let identity = Identity { tid: 201, ..curl() };
    let process = owner(&mut knowledge(), &identity).process;
    assert_eq!((process.pid, process.tid, process.ns_pid), (200, 201, None));
    assert_eq!(process.name, "curl");
    assert_eq!(process.exe.as_deref(), Some("/bin/curl"));
    assert_eq!(
        process.args.as_deref(),
        Some(["curl".to_owned()].as_slice())
    );
    assert_eq!(process.start_time, "1970-01-01T00:00:20.00Z");
    assert!(process.tty.is_none() && !process.flags.is_deleted && !process.args_truncated);
    let parent = process.parent.as_ref().unwrap();
    assert_eq!((parent.pid, parent.name.as_str()), (100, "sh"));
    assert_eq!(parent.exe.as_deref(), Some("/bin/sh"));
    assert_eq!(parent.args, None);
    assert_eq!(parent.start_time, "1970-01-01T00:00:10.00Z");
}

#[test]
fn what_is_not_known_of_a_process_is_absent() {
    let stranger = at(7, 0, 0).identity("stranger");
    let process = owner(&mut Knowledge::default(), &stranger).process;
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
    assert_eq!(owner(&mut knowledge(), &identity).process.ns_pid, Some(1));
}

#[test]
fn a_process_that_was_found_while_it_ended_has_lost_its_id_there() {
    let identity = Identity {
        ns_tgid: 0,
        ..curl()
    };
    assert_eq!(owner(&mut knowledge(), &identity).process.ns_pid, None);
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
        let process = owner(&mut knowledge, &at(200, 2000, 3).identity("x")).process;
        assert_eq!(process.exe.as_deref(), Some(exe));
        let found = (process.flags.is_deleted, process.flags.is_memfd);
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
        name_from: Some(NameFrom::Host),
        gid: 5,
        euid: None,
        auid: Some(1000),
        login: Some("ann".to_owned()),
        session: Some(3),
    };
    assert_eq!(owner(&mut knowledge(), &curl()).user, root);

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
    assert_eq!(owner(&mut knowledge(), &daemon).user, unnamed);
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
    let owner = owner(&mut knowledge, &identity);
    assert_eq!(owner.container.map(|container| container.id), Some(id));
    assert_eq!(owner.cgroup.path, Some(path));
    assert_eq!((owner.user.name, owner.user.name_from), (None, None));
    assert_eq!(owner.user.login.as_deref(), Some("ann"));
}

/// What a user is called in the root of a process.
fn resident_of(identity: &Identity, name: Option<&str>) -> Resident {
    Resident {
        pid: identity.tgid,
        start_ticks: Key::of(identity).start_ticks,
        cgroup: identity.cgroup_id,
        is_v1: identity.flags & identity_flag::CGROUP_V1 != 0,
        uid: identity.uid,
        name: name.map(str::to_owned),
    }
}

fn hashed(identity: &Identity, path: &str, hash: Hash) -> Executable {
    Executable {
        pid: identity.tgid,
        start_ticks: Key::of(identity).start_ticks,
        exec_id: identity.exec_id,
        path: path.to_owned(),
        hash,
    }
}

#[test]
fn a_user_in_another_root_is_named_by_its_accounts() {
    let mut knowledge = knowledge();
    let path = format!("/system.slice/docker-{}.scope", "0f".repeat(32));
    knowledge.cgroups.learn(9, false, &path);
    knowledge
        .cgroups
        .learn(10, false, "/system.slice/jail.service");
    for cgroup_id in [9, 10] {
        let identity = Identity {
            cgroup_id,
            ..curl()
        };
        knowledge.learn_resident(&resident_of(&identity, Some("web")));
        let user = owner(&mut knowledge, &identity).user;
        assert_eq!(user.name.as_deref(), Some("web"));
        assert_eq!(user.name_from, Some(NameFrom::Container));
        assert_eq!(user.login.as_deref(), Some("ann"));
        // Of one that is gone before it can be asked, its container may tell; no other cgroup does.
        let gone = Identity {
            cgroup_id,
            ..at(300, 3000, 3).identity("gone")
        };
        let name = owner(&mut knowledge, &gone).user.name;
        assert_eq!(
            name.as_deref(),
            Some(if cgroup_id == 9 { "web" } else { "root" })
        );
    }
    // Who has no name there has none.
    knowledge.learn_resident(&resident_of(&curl(), None));
    let user = owner(&mut knowledge, &curl()).user;
    assert_eq!((user.name, user.name_from), (None, None));
}

#[test]
fn an_executable_is_odd_where_packages_put_none() {
    for (exe, flags, is_odd) in [
        ("/usr/bin/x", 0, false),
        ("/tmp/x", 0, true),
        ("/tmp/x", exec_flag::EXE_DELETED, true),
        ("/usr/bin/x", exec_flag::EXE_DELETED, false),
        ("/memfd:x", exec_flag::EXE_DELETED, false),
        ("", 0, false),
    ] {
        let mut knowledge = knowledge();
        let mut frame = exec(at(200, 2000, 3), at(100, 1000, 1), "x");
        frame.exe = exe.to_owned();
        frame.fixed.flags = flags;
        knowledge.processes.exec(&frame);
        let identity = at(200, 2000, 3).identity("x");
        let process = owner(&mut knowledge, &identity).process;
        assert_eq!(process.flags.is_unpackaged, is_odd, "{exe}");
        // In another root, any path may be one of packages.
        knowledge.learn_resident(&resident_of(&identity, None));
        assert!(!owner(&mut knowledge, &identity).process.flags.is_unpackaged);
    }
}

#[test]
fn a_hash_is_of_the_program_that_was_run_then() {
    let mut knowledge = knowledge();
    let curl = curl();
    let sha256 = |text: &str| Hash::Sha256(text.to_owned());
    // It runs something else by the time that it is looked at.
    knowledge.learn_executable(&hashed(&curl, "/bin/wget", sha256("00")));
    assert_eq!(owner(&mut knowledge, &curl).process.sha256, None);
    // A child that was forked before has the same executable.
    knowledge
        .processes
        .fork(&fork(at(201, 2010, 2), at(200, 2000, 2), "curl"));
    knowledge.learn_executable(&hashed(&curl, "/bin/curl", sha256("5f")));
    let child = at(201, 2010, 2).identity("curl");
    for identity in [curl, child] {
        let process = owner(&mut knowledge, &identity).process;
        assert_eq!(process.sha256.as_deref(), Some("5f"));
    }
    knowledge
        .processes
        .exec(&exec(at(200, 2000, 4), at(100, 1000, 1), "cat"));
    let cat = at(200, 2000, 4).identity("cat");
    assert_eq!(owner(&mut knowledge, &cat).process.sha256, None);
    knowledge.learn_executable(&hashed(&cat, "/bin/cat", Hash::TooLarge));
    let process = owner(&mut knowledge, &cat).process;
    assert_eq!(
        (process.sha256.as_deref(), process.not_hashed.as_deref()),
        (None, Some("too_large"))
    );
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
        assert_eq!(owner(&mut knowledge, &identity).unit.as_deref(), Some(unit));
    }
    let elsewhere = Identity {
        cgroup_id: 10,
        ..curl()
    };
    let owner = owner(&mut knowledge, &elsewhere);
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
    let resident = Question::Resident {
        pid: 7,
        start_ticks: 70,
        cgroup: 9,
        is_v1: true,
        uid: stranger.uid,
    };
    assert_eq!(
        asked(&knowledge, &stranger),
        [process.clone(), cgroup, resident.clone()]
    );
    knowledge.cgroups.learn(9, true, "/");
    assert_eq!(asked(&knowledge, &stranger), [process, resident.clone()]);
    knowledge.processes.learn(&shown(7, 70, 1, "stranger"));
    assert_eq!(asked(&knowledge, &stranger), [resident]);
    knowledge.learn_resident(&resident_of(&stranger, None));
    assert_eq!(asked(&knowledge, &stranger), []);
    knowledge.wants_hashes = true;
    let executable = Question::Executable {
        pid: 7,
        start_ticks: 70,
        exec_id: stranger.exec_id,
    };
    assert_eq!(asked(&knowledge, &stranger), [executable]);
    knowledge.learn_executable(&hashed(&stranger, "/bin/stranger", Hash::TooLarge));
    assert_eq!(asked(&knowledge, &stranger), []);
}

#[test]
fn a_container_is_asked_for_until_all_is_known() {
    let id = "0123456789abcdef".repeat(4);
    let path = format!("/kubepods/burstable/pod{}/{id}", "00".repeat(16));
    let mut knowledge = knowledge();
    knowledge.cgroups.learn(9, false, &path);
    let identity = Identity {
        cgroup_id: 9,
        ..curl()
    };
    let asked = |knowledge: &Knowledge| {
        let questions = knowledge.questions(&identity);
        let of_containers = |one: &Question| matches!(one, Question::Container { .. });
        questions.filter(of_containers).collect::<Vec<_>>()
    };
    let cgroup = path.as_str().into();
    let question = [Question::Container { cgroup }];
    assert_eq!(asked(&knowledge), question);
    // An owner that was written before is not kept as it was.
    let before = owner(&mut knowledge, &identity);
    assert_eq!(before.container.as_ref().unwrap().name, None);
    assert_eq!(before.pod.as_ref().unwrap().name, None);
    assert!(!knowledge.has_more_of(&identity, &before));
    let mut container = fact::Container {
        id,
        name: Some("web".to_owned()),
        pod: Some(fact::Pod {
            name: Some("web-0".to_owned()),
            ..fact::Pod::default()
        }),
        ..fact::Container::default()
    };
    knowledge.learn_container(&container);
    assert_eq!(asked(&knowledge), question, "the pod calls it something");
    assert!(knowledge.has_more_of(&identity, &before));
    let of_pod = owner(&mut knowledge, &identity);
    assert!(!knowledge.has_more_of(&identity, &of_pod));
    let pod = container.pod.as_mut().unwrap();
    pod.container = Some("web".to_owned());
    knowledge.learn_container(&container);
    let after = owner(&mut knowledge, &identity);
    assert!(knowledge.has_more_of(&identity, &of_pod));
    assert!(!knowledge.has_more_of(&identity, &after));
    assert_eq!(after.container.unwrap().name.as_deref(), Some("web"));
    assert_eq!(after.pod.unwrap().name.as_deref(), Some("web-0"));
    assert_eq!(asked(&knowledge), []);
    // One that the path names has no files.
    knowledge.cgroups.learn(9, false, "/lxc.payload.web");
    assert_eq!(asked(&knowledge), []);
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
        (Raw::EXISTING, Attribution::Existing),
        (Raw::IO, Attribution::Io),
        (Raw::LISTENER, Attribution::Listener),
        (u8::MAX, Attribution::None),
    ] {
        assert_eq!(attribution(raw), expected);
    }
}
