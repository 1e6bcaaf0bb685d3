//! The process table: who a process is, was, and came from.

use std::{iter::successors, sync::Arc};

use tracer_abi::{ExecFrame, ForkFrame, Identity, Kind, Name};
use tracer_core::{
    clock::NS_PER_TICK,
    decode::Exec,
    fact,
    process::{Key, Process, Processes, ancestors},
};

use crate::frames::header;

const SECOND: u64 = 1_000_000_000;

/// A process at a moment: its id, its start in ticks, and the program it runs by exec id.
#[derive(Clone, Copy)]
pub struct Moment {
    pub pid: u32,
    pub start: u64,
    pub exec_id: u64,
}

pub fn at(pid: u32, start: u64, exec_id: u64) -> Moment {
    Moment {
        pid,
        start,
        exec_id,
    }
}

impl Moment {
    pub fn key(self) -> Key {
        Key {
            pid: self.pid,
            start_ticks: self.start,
        }
    }

    /// Within the tick, for the kernel knows better than `/proc`.
    fn start_ns(self) -> u64 {
        self.start * NS_PER_TICK + 1
    }

    /// What the kernel says of it when it acts.
    pub fn identity(self, name: &str) -> Identity {
        Identity {
            start_ns: self.start_ns(),
            exec_id: self.exec_id,
            tgid: self.pid,
            tid: self.pid,
            ns_tgid: self.pid,
            comm: padded(name),
            ..Identity::NOBODY
        }
    }
}

fn padded(name: &str) -> Name {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    Name(bytes)
}

pub fn fork(child: Moment, parent: Moment, name: &str) -> ForkFrame {
    ForkFrame {
        header: header::<ForkFrame>(Kind::FORK, 0, 0),
        child_start_ns: child.start_ns(),
        child_exec_id: child.exec_id,
        child_tgid: child.pid,
        parent_start_ns: parent.start_ns(),
        parent_exec_id: parent.exec_id,
        parent_tgid: parent.pid,
        comm: padded(name),
    }
}

/// The process executes `/bin/NAME`.
pub fn exec(process: Moment, parent: Moment, name: &str) -> Exec {
    Exec {
        netns: None,
        fixed: ExecFrame {
            header: header::<ExecFrame>(Kind::EXEC, 0, 0),
            identity: process.identity(name),
            parent_start_ns: parent.start_ns(),
            parent_exec_id: parent.exec_id,
            parent_tgid: parent.pid,
            flags: 0,
            exe_len: 0,
            args_len: 0,
            tty: Name::EMPTY,
        },
        exe: format!("/bin/{name}"),
        args: Some(vec![name.to_owned()]),
    }
}

/// What `/proc` shows of a process that runs `/bin/NAME`.
pub fn shown(pid: u32, start_ticks: u64, parent: u32, name: &str) -> fact::Process {
    fact::Process {
        pid,
        start_ticks,
        parent,
        name: name.to_owned(),
        exe: format!("/bin/{name}"),
        ..fact::Process::default()
    }
}

fn parent(process: &Process) -> Option<(u32, &str)> {
    let parent = process.parent.as_ref()?;
    Some((parent.key.pid, &parent.name))
}

fn lineage(process: &Process, session: u32) -> Vec<u32> {
    let pids = ancestors(process, session).map(|ancestor| ancestor.key.pid);
    pids.collect()
}

const INIT: Moment = Moment {
    pid: 1,
    start: 0,
    exec_id: 1,
};

/// A machine on which `/proc` shows the first process, and a shell of it.
fn machine() -> (Processes, Moment) {
    let mut processes = Processes::default();
    processes.learn(&shown(1, 0, 0, "init"));
    let shell = at(100, 10, 2);
    processes.fork(&fork(shell, INIT, "init"));
    processes.exec(&exec(at(100, 10, 3), INIT, "sh"));
    (processes, at(100, 10, 3))
}

#[test]
fn a_child_runs_its_parents_program_until_it_executes_one() {
    let (mut processes, shell) = machine();
    let child = at(200, 20, shell.exec_id);
    processes.fork(&fork(child, shell, "sh"));
    let copy = processes.find(&child.identity("sh"));
    assert_eq!(copy.image.exe, "/bin/sh");
    assert_eq!(parent(&copy), Some((100, "sh")));

    let curl = at(200, 20, 4);
    processes.exec(&exec(curl, shell, "curl"));
    let after = processes.find(&curl.identity("curl"));
    assert_eq!(after.image.exe, "/bin/curl");
    assert_eq!(parent(&after), Some((100, "sh")));

    let before = processes.find(&child.identity("sh"));
    assert_eq!(before, copy, "what it did as a copy is not curl's doing");
}

#[test]
fn a_child_is_of_the_program_its_parent_ran_then() {
    let (mut processes, shell) = machine();
    processes.exec(&exec(at(100, 10, 4), INIT, "bash"));
    processes.fork(&fork(at(200, 20, 3), shell, "sh"));
    processes.fork(&fork(at(201, 20, 4), at(100, 10, 4), "bash"));
    let child = |pid, exec_id| processes.find(&at(pid, 20, exec_id).identity("x"));
    assert_eq!(parent(&child(200, 3)), Some((100, "sh")));
    assert_eq!(parent(&child(201, 4)), Some((100, "bash")));
}

#[test]
fn of_many_programs_the_newest_are_remembered() {
    let (mut processes, _) = machine();
    for exec_id in 4..10 {
        processes.exec(&exec(at(100, 10, exec_id), INIT, &format!("p{exec_id}")));
    }
    let exe = |exec_id| {
        let process = processes.find(&at(100, 10, exec_id).identity("x"));
        process.image.exe.clone()
    };
    let exes: Vec<String> = (3..11).map(exe).collect();
    let expected = ["p6", "p6", "p6", "p6", "p7", "p8", "p9", "p9"];
    assert_eq!(exes, expected.map(|name| format!("/bin/{name}")));
}

#[test]
fn a_process_whose_fork_was_missed_has_the_parent_its_exec_tells() {
    let (mut processes, shell) = machine();
    processes.exec(&exec(at(200, 20, 4), shell, "curl"));
    let curl = processes.find(&at(200, 20, 4).identity("curl"));
    assert_eq!(parent(&curl), Some((100, "sh")));

    processes.exec(&exec(at(300, 30, 1), at(250, 25, 1), "wget"));
    let orphan = processes.find(&at(300, 30, 1).identity("wget"));
    assert_eq!(parent(&orphan), None);
}

#[test]
fn a_parent_that_has_exited_is_still_named() {
    let (mut processes, shell) = machine();
    let child = at(200, 20, 3);
    processes.fork(&fork(child, shell, "sh"));
    processes.exit(shell.key(), SECOND);
    // Long after, the end of another makes room.
    processes.exit(INIT.key(), 100 * SECOND);
    assert!(!processes.knows(shell.key()));

    processes.exec(&exec(at(200, 20, 4), INIT, "curl"));
    let curl = processes.find(&at(200, 20, 4).identity("curl"));
    assert_eq!(parent(&curl), Some((100, "sh")));
    assert_eq!(lineage(&curl, 0), [100, 1]);
}

#[test]
fn a_process_stays_known_a_minute_after_its_end() {
    let (mut processes, shell) = machine();
    let others = [at(300, 30, 1), at(301, 30, 1)];
    for other in others {
        processes.exec(&exec(other, INIT, "true"));
    }
    processes.exit(shell.key(), SECOND);
    processes.exit(others[0].key(), 61 * SECOND);
    assert!(processes.knows(shell.key()));
    assert_eq!(processes.find(&shell.identity("sh")).image.exe, "/bin/sh");
    processes.exit(others[1].key(), 61 * SECOND + 1);
    assert!(!processes.knows(shell.key()));
    assert!(processes.knows(others[0].key()));
    assert!(processes.find(&shell.identity("sh")).image.exe.is_empty());
}

#[test]
fn the_end_of_a_process_that_is_not_known_is_nothing() {
    let (mut processes, shell) = machine();
    let known = processes.len();
    processes.exit(at(999, 9, 1).key(), u64::MAX);
    processes.exit(shell.key(), u64::MAX);
    processes.exit(INIT.key(), 0);
    assert_eq!(processes.len(), known);
}

#[test]
fn a_reused_pid_is_another_process() {
    let (mut processes, shell) = machine();
    processes.exit(shell.key(), SECOND);
    let heir = at(100, 500, 7);
    processes.exec(&exec(heir, INIT, "nginx"));
    let exe =
        |processes: &Processes, who: Moment| processes.find(&who.identity("x")).image.exe.clone();
    assert_eq!(exe(&processes, shell), "/bin/sh");
    assert_eq!(exe(&processes, heir), "/bin/nginx");

    // The first of the id is forgotten, the second is not.
    processes.exit(INIT.key(), 100 * SECOND);
    assert!(!processes.knows(shell.key()));
    assert_eq!(exe(&processes, heir), "/bin/nginx");
    // `/proc` names a parent by its id, which is the second's.
    processes.learn(&shown(600, 600, 100, "worker"));
    let worker = processes.find(&at(600, 600, 1).identity("worker"));
    assert_eq!(parent(&worker), Some((100, "nginx")));
}

#[test]
fn ancestors_end_with_the_session_leader() {
    let (mut processes, shell) = machine();
    let chain = [at(200, 20, 3), at(201, 21, 3), at(202, 22, 3)];
    for (parent, child) in [shell, chain[0], chain[1]].into_iter().zip(chain) {
        processes.fork(&fork(child, parent, "sh"));
    }
    let last = processes.find(&chain[2].identity("sh"));
    assert_eq!(lineage(&last, 200), [201, 200]);
    assert_eq!(lineage(&last, 201), [201]);
    assert_eq!(lineage(&last, 100), [201, 200, 100]);
    // A leader that is no known ancestor, or is the process itself: up to the first process.
    assert_eq!(lineage(&last, 999), [201, 200, 100, 1]);
    assert_eq!(lineage(&last, 202), [201, 200, 100, 1]);
}

#[test]
fn proc_alone_tells_who_a_process_is() {
    let mut processes = Processes::default();
    processes.learn(&shown(1, 0, 0, "init"));
    processes.learn(&shown(50, 5, 1, "sshd"));
    for exec_id in [0, 1, u64::MAX] {
        let sshd = processes.find(&at(50, 5, exec_id).identity("sshd"));
        assert_eq!(sshd.image.exe, "/bin/sshd");
        assert_eq!(parent(&sshd), Some((1, "init")));
    }
}

#[test]
fn proc_never_overwrites_what_the_kernel_said() {
    let (mut processes, shell) = machine();
    processes.learn(&shown(100, 10, 7, "late"));
    let found = processes.find(&shell.identity("sh"));
    assert_eq!(found.image.exe, "/bin/sh");
    assert_eq!(parent(&found), Some((1, "init")));
}

#[test]
fn what_proc_showed_is_the_program_before_the_first_exec() {
    let mut processes = Processes::default();
    processes.learn(&shown(1, 0, 0, "init"));
    processes.learn(&shown(50, 5, 1, "sh"));
    processes.exec(&exec(at(50, 5, 8), at(1, 0, 1), "nc"));
    let exe = |exec_id| {
        processes
            .find(&at(50, 5, exec_id).identity("x"))
            .image
            .exe
            .clone()
    };
    assert_eq!(exe(7), "/bin/sh");
    assert_eq!(exe(8), "/bin/nc");
    let nc = processes.find(&at(50, 5, 8).identity("nc"));
    assert_eq!(parent(&nc), Some((1, "init")));
}

#[test]
fn a_process_has_the_name_it_had_at_that_moment() {
    let (processes, shell) = machine();
    let renamed = processes.find(&shell.identity("worker"));
    assert_eq!(renamed.name, "worker");
    assert_eq!(renamed.image.exe, "/bin/sh");
    assert_eq!(parent(&renamed), Some((1, "init")));
    assert_eq!(processes.find(&shell.identity("sh")).name, "sh");
}

#[test]
fn a_process_that_is_not_known_has_its_name() {
    let stranger = Processes::default().find(&at(7, 7, 7).identity("stranger"));
    assert_eq!(stranger.name, "stranger");
    assert_eq!(stranger.key, at(7, 7, 7).key());
    assert!(stranger.image.exe.is_empty() && stranger.parent.is_none());
}

/// As a program does that forks, exits, and goes on in the child, without an end.
#[test]
fn generations_without_end_take_neither_memory_nor_stack() {
    const GENERATIONS: u32 = 100_000;
    let mut processes = Processes::default();
    let generation = |number: u32| at(number, u64::from(number), 1);
    processes.exec(&exec(generation(1), INIT, "hydra"));
    for number in 2..=GENERATIONS {
        processes.fork(&fork(generation(number), generation(number - 1), "hydra"));
        processes.exit(generation(number - 1).key(), u64::from(number) * SECOND);
    }
    let last = processes.find(&generation(GENERATIONS).identity("hydra"));
    assert_eq!(last.image.exe, "/bin/hydra");
    let nearest: Vec<u32> = (1..=32).map(|back| GENERATIONS - back).collect();
    assert_eq!(lineage(&last, 0), nearest);
    let kept = successors(Some(&last), |process: &&Arc<Process>| {
        process.parent.as_ref()
    })
    .count();
    assert!(kept < 100, "{kept} generations are kept");
}
