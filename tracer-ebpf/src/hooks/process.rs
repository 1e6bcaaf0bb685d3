//! The lives of processes: who an owner was, and who its ancestors were, stays known after they are
//! gone.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_user, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use tracer_abi::{ARGS_MAX, Counted, ExecFrame, ExitFrame, ForkFrame, Kind, exec_flag};

use crate::{
    counters::count,
    kernel::{PATH_ROOM, Task},
    ring::{now_ns, reserve, submit, write_header},
};

/// Bytes of the number of a network namespace.
const NETNS_LEN: usize = size_of::<u32>();

/// An exec frame and the room for its path, network namespace and arguments.
#[repr(C)]
struct Exec {
    fixed: ExecFrame,
    tail: [u8; PATH_ROOM + NETNS_LEN + ARGS_MAX],
}

/// `sched_process_exec(task, old_pid, bprm)`: the new program is in place, in process context.
#[btf_tracepoint(function = "sched_process_exec")]
fn exec_tp_btf(ctx: BtfTracePointContext) -> i32 {
    exec(Task::new(ctx.arg(0)));
    0
}

/// `sched_process_fork(parent, child)`: before the child runs.
#[btf_tracepoint(function = "sched_process_fork")]
fn fork_tp_btf(ctx: BtfTracePointContext) -> i32 {
    fork(Task::new(ctx.arg(1)));
    0
}

/// `sched_process_exit(task)`: a thread ends; before its files are closed.
#[btf_tracepoint(function = "sched_process_exit")]
fn exit_tp_btf(ctx: BtfTracePointContext) -> i32 {
    exit(Task::new(ctx.arg(0)));
    0
}

#[inline(always)]
fn exec(task: Task) {
    count(Kind::EXEC, Counted::Seen);
    let Some(mut entry) = reserve::<Exec>(Kind::EXEC) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    // SAFETY: reserved ring memory of that type.
    let (fixed, tail) = unsafe {
        (
            &raw mut (*frame).fixed,
            (&raw mut (*frame).tail).cast::<u8>(),
        )
    };
    let executable = task.executable();
    // SAFETY: `tail` has PATH_ROOM bytes and more.
    let path = unsafe { executable.place().write_path(tail) };
    let mut flags = 0;
    if executable.is_deleted() {
        flags |= exec_flag::EXE_DELETED;
    }
    if path.is_truncated {
        flags |= exec_flag::EXE_TRUNCATED;
    }
    // The verifier follows each way out of the loop over the path separately, but it does not know
    // what is in the ring: what is read back from there is the same on all of them.
    // SAFETY: reserved ring memory.
    let (exe_len, flags) = unsafe {
        (&raw mut (*fixed).exe_len).write_volatile(path.len);
        (&raw mut (*fixed).flags).write_volatile(flags);
        (
            (&raw const (*fixed).exe_len).read_volatile() & (PATH_ROOM as u32 - 1),
            (&raw const (*fixed).flags).read_volatile(),
        )
    };
    // SAFETY: a path is at most PATH_ROOM bytes, behind which NETNS_LEN and ARGS_MAX are left.
    let args = unsafe {
        let behind = tail.add(exe_len as usize);
        behind.cast::<u32>().write_unaligned(task.netns());
        write_arguments(task, behind.add(NETNS_LEN))
    };
    let parent = task.parent();
    // SAFETY: every field of the fixed part is written.
    unsafe {
        let len = (size_of::<ExecFrame>() + NETNS_LEN) as u32 + exe_len + args.len;
        write_header(&raw mut (*fixed).header, Kind::EXEC, now_ns(), len);
        task.identify(&mut (*fixed).identity);
        (*fixed).parent_start_ns = parent.start_ns();
        (*fixed).parent_exec_id = parent.exec_id();
        (*fixed).parent_tgid = parent.tgid();
        (*fixed).flags = flags | args.flags | exec_flag::HAS_NETNS;
        (*fixed).exe_len = exe_len;
        (*fixed).args_len = args.len;
        (*fixed).tty = task.tty();
    }
    submit(entry);
}

/// Arguments as they were written.
struct Arguments {
    len: u32,
    flags: u32,
}

/// Copies the arguments of the running program, each with its zero byte.
///
/// # Safety
/// `into` points to [`ARGS_MAX`] bytes.
#[inline(always)]
unsafe fn write_arguments(task: Task, into: *mut u8) -> Arguments {
    let (start, end) = task.arguments();
    let whole = end.wrapping_sub(start);
    let (len, flags) = if whole > ARGS_MAX as u64 {
        (ARGS_MAX as u32, exec_flag::ARGS_TRUNCATED)
    } else {
        (whole as u32, 0)
    };
    // SAFETY: at most ARGS_MAX bytes are written.
    let result = unsafe { bpf_probe_read_user(into.cast(), len, start as *const _) };
    if result == 0 {
        Arguments { len, flags }
    } else {
        Arguments {
            len: 0,
            flags: exec_flag::ARGS_UNREADABLE,
        }
    }
}

#[inline(always)]
fn fork(child: Task) {
    // A thread, not a process.
    if child.tid() != child.tgid() {
        return;
    }
    count(Kind::FORK, Counted::Seen);
    let Some(mut entry) = reserve::<ForkFrame>(Kind::FORK) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    let parent = child.parent();
    let len = size_of::<ForkFrame>() as u32;
    // SAFETY: reserved ring memory of that type, and every field of it is written.
    unsafe {
        write_header(&raw mut (*frame).header, Kind::FORK, now_ns(), len);
        (*frame).child_start_ns = child.start_ns();
        (*frame).child_exec_id = child.exec_id();
        (*frame).parent_start_ns = parent.start_ns();
        (*frame).parent_exec_id = parent.exec_id();
        (*frame).child_tgid = child.tgid();
        (*frame).parent_tgid = parent.tgid();
        (*frame).comm = child.comm();
    }
    submit(entry);
}

#[inline(always)]
fn exit(task: Task) {
    if !task.is_last_thread() {
        return;
    }
    count(Kind::EXIT, Counted::Seen);
    let Some(mut entry) = reserve::<ExitFrame>(Kind::EXIT) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    let len = size_of::<ExitFrame>() as u32;
    // SAFETY: reserved ring memory of that type, and every field of it is written.
    unsafe {
        write_header(&raw mut (*frame).header, Kind::EXIT, now_ns(), len);
        (*frame).start_ns = task.start_ns();
        (*frame).tgid = task.tgid();
        (*frame).reserved = 0;
    }
    submit(entry);
}
