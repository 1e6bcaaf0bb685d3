//! A conntracer that is lied to: what it reads of its lists is changed on the way to it, as a rootkit in
//! the kernel would do it. It runs under ptrace, so that this works on every kernel and for this one
//! process only.

use std::{
    fs::File,
    os::unix::{
        fs::FileExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Command, ExitStatus, Stdio},
};

use nix::{
    libc,
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{conntracer, record::Record, schema::violations, scratch::Scratch, tracer::Finished};

/// What is done to a list.
#[derive(Clone, Debug, Default)]
pub struct Rootkit {
    /// In `/proc/net` sockets with these local ports are not there.
    pub hides_in_proc_net: Vec<u16>,
    /// In `/proc/net` sockets with the first local port have the second.
    pub moves_in_proc_net: Vec<(u16, u16)>,
    /// In the answers of `sock_diag` sockets with these local ports are not there.
    pub hides_in_sock_diag: Vec<u16>,
}

impl Rootkit {
    /// Runs conntracer to its end with these arguments.
    ///
    /// # Panics
    /// If it cannot be run, or writes what the published schema does not allow.
    #[must_use]
    pub fn run(self, args: &[&str]) -> Finished {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        // A thread of its own: only the one that traces is told of stops, and it is told of all of its
        // children.
        let tracing = std::thread::spawn(move || self.trace(&args));
        let result = tracing
            .join()
            .unwrap_or_else(|_| panic!("the thread panicked"));
        result.unwrap_or_else(|error| panic!("conntracer cannot be traced: {error:#}"))
    }

    fn trace(&self, args: &[String]) -> anyhow::Result<Finished> {
        let scratch = Scratch::new();
        let (stdout, stderr) = (scratch.file("stdout"), scratch.file("stderr"));
        let mut command = Command::new(conntracer());
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?);
        // SAFETY: a single system call.
        unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
        let child = command.spawn()?;
        let status = self.follow(Pid::from_raw(i32::try_from(child.id())?))?;
        let stdout = std::fs::read_to_string(stdout)?;
        let lines = stdout.lines().map(serde_json::from_str);
        let records: Vec<Record> = lines
            .map(|line| line.map(Record))
            .collect::<Result<_, _>>()?;
        for record in &records {
            let wrong = violations(record);
            assert!(wrong.is_empty(), "{wrong:?} in {record:?}");
        }
        Ok(Finished {
            count: records.len() as u64,
            records,
            stdout,
            status,
            stderr: std::fs::read_to_string(stderr)?,
        })
    }

    /// Stops it at each system call, until it ends.
    fn follow(&self, child: Pid) -> anyhow::Result<ExitStatus> {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        waitpid(child, Some(flags))?;
        let options = ptrace::Options::PTRACE_O_TRACESYSGOOD
            | ptrace::Options::PTRACE_O_TRACECLONE
            | ptrace::Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(child, options)?;
        ptrace::syscall(child, None)?;
        loop {
            let (thread, signal) = match waitpid(None, Some(flags))? {
                WaitStatus::Exited(thread, code) if thread == child => {
                    return Ok(ExitStatus::from_raw(code << 8));
                }
                WaitStatus::Signaled(thread, signal, _) if thread == child => {
                    return Ok(ExitStatus::from_raw(signal as i32));
                }
                WaitStatus::PtraceSyscall(thread) => {
                    self.change(thread)?;
                    (thread, None)
                }
                // A new thread begins with this.
                WaitStatus::Stopped(thread, Signal::SIGSTOP)
                | WaitStatus::PtraceEvent(thread, ..) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                _ => continue,
            };
            match ptrace::syscall(thread, signal) {
                // It was killed with the others when the process ended.
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Changes what a system call has read, if it is a list.
    fn change(&self, thread: Pid) -> anyhow::Result<()> {
        let mut registers = match ptrace::getregs(thread) {
            Err(nix::Error::ESRCH) => return Ok(()),
            registers => registers?,
        };
        // Before the call this is an errno.
        let Some(len) = usize::try_from(registers.rax.cast_signed())
            .ok()
            .filter(|len| *len > 0)
        else {
            return Ok(());
        };
        let change: fn(&Self, &[u8]) -> Vec<u8> = match i64::try_from(registers.orig_rax)? {
            libc::SYS_read if is_list(thread, registers.rdi) => Self::lines,
            libc::SYS_recvfrom => Self::answers,
            _ => return Ok(()),
        };
        let path = format!("/proc/{thread}/mem");
        let memory = File::options().read(true).write(true).open(path)?;
        let mut bytes = vec![0; len];
        // A call that only asks for a length has no buffer for it.
        if memory.read_exact_at(&mut bytes, registers.rsi).is_err() {
            return Ok(());
        }
        let changed = change(self, &bytes);
        if changed != bytes {
            memory.write_all_at(&changed, registers.rsi)?;
            registers.rax = changed.len() as u64;
            ptrace::setregs(thread, registers)?;
        }
        Ok(())
    }

    /// What is left of lines of `/proc/net`, and as what.
    fn lines(&self, bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split_inclusive('\n');
        let lines = lines.filter_map(|line| self.line(line));
        lines.collect::<String>().into_bytes()
    }

    fn line(&self, line: &str) -> Option<String> {
        // The line above the others has none.
        let Some(port) = local_port(line) else {
            return Some(line.to_owned());
        };
        let is_hidden = self.hides_in_proc_net.contains(&port);
        let mut moves = self.moves_in_proc_net.iter();
        let to = moves.find(|(from, _)| *from == port);
        (!is_hidden).then(|| match to {
            Some((from, to)) => line.replacen(&format!(":{from:04X} "), &format!(":{to:04X} "), 1),
            None => line.to_owned(),
        })
    }

    /// What is left of messages of netlink.
    fn answers(&self, bytes: &[u8]) -> Vec<u8> {
        /// `SOCK_DIAG_BY_FAMILY`
        const SOCKET: u16 = 20;
        let mut kept = Vec::new();
        let mut rest = bytes;
        // The header: a length of four bytes, then a type of two.
        while let (Some(len), Some(kind)) = (number(rest, 0), number(rest, 4)) {
            let (message, behind) = rest
                .split_at_checked(usize::from(len).next_multiple_of(4))
                .unwrap_or((rest, &[]));
            rest = behind;
            // The port stands behind the header and four bytes more.
            let local = number(message, 20).map(u16::from_be);
            let is_hidden = local.is_some_and(|port| self.hides_in_sock_diag.contains(&port));
            if kind != SOCKET || !is_hidden {
                kept.extend_from_slice(message);
            }
            if len == 0 {
                break;
            }
        }
        kept.extend_from_slice(rest);
        kept
    }
}

/// Two bytes of a message.
fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

/// The port of the local end in a line: `sl local_address rem_address …`
fn local_port(line: &str) -> Option<u16> {
    let local = line.split_ascii_whitespace().nth(1)?;
    u16::from_str_radix(local.split_once(':')?.1, 16).ok()
}

/// Whether a descriptor is of a list of sockets.
fn is_list(thread: Pid, descriptor: u64) -> bool {
    let path = std::fs::read_link(format!("/proc/{thread}/fd/{descriptor}"));
    path.is_ok_and(|path| {
        let mut parts = path.iter().rev();
        let name = parts.next().unwrap_or_default();
        let lists = ["tcp", "tcp6", "udp", "udp6"];
        lists.iter().any(|list| name == *list) && parts.next().is_some_and(|above| above == "net")
    })
}
