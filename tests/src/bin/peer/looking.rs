//! Processes that look at connections, or do what looks like it.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{Read as _, Seek as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use io_uring::{opcode, types};
use nix::{
    libc,
    sys::memfd::{MFdFlags, memfd_create},
};
use tracer_tests::bpf;

use crate::{hear, netlink, say, uring::Ring};

/// Reads files as a whole. Says how many bytes each had.
pub fn list(files: &[&str]) -> anyhow::Result<()> {
    for file in files {
        let content = fs::read(file).with_context(|| format!("cannot read {file}"))?;
        say(content.len());
    }
    Ok(())
}

/// The same with a file that is opened and read through a ring.
pub fn list_by_ring(file: &str, mode: &str) -> anyhow::Result<()> {
    const PIECE: usize = 4096;
    let mut ring = Ring::new(mode)?;
    let path = CString::new(file)?;
    let open = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), path.as_ptr());
    let result = ring.call(open.flags(libc::O_RDONLY).build())?;
    ensure!(result >= 0, "openat answered {result}");
    // SAFETY: the kernel has just handed it to us.
    let opened = unsafe { OwnedFd::from_raw_fd(result) };
    let (mut piece, mut len) = ([0_u8; PIECE], 0);
    loop {
        let descriptor = types::Fd(opened.as_raw_fd());
        let read = opcode::Read::new(descriptor, piece.as_mut_ptr(), u32::try_from(PIECE)?);
        let result = ring.call(read.offset(len).build())?;
        len += u64::try_from(result).with_context(|| format!("read answered {result}"))?;
        if result == 0 {
            say(len);
            return Ok(());
        }
    }
}

/// Opens a file, and reads it when it is told to.
pub fn list_held(file: &str) -> anyhow::Result<()> {
    let mut opened = File::open(file)?;
    say("opened");
    hear();
    opened.rewind()?;
    let mut content = Vec::new();
    opened.read_to_end(&mut content)?;
    say(content.len());
    Ok(())
}

/// The directories of all processes.
fn processes() -> anyhow::Result<Vec<PathBuf>> {
    let is_process = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.bytes().all(|byte| byte.is_ascii_digit())
    };
    let entries = fs::read_dir("/proc")?.map_while(Result::ok);
    Ok(entries
        .map(|entry| entry.path())
        .filter(is_process)
        .collect())
}

/// Lists the descriptors of all processes. Says how many descriptors they have.
pub fn sweep() -> anyhow::Result<()> {
    let directories = processes()?;
    let all = directories
        .iter()
        // Some of them have ended by now.
        .filter_map(|process| fs::read_dir(process.join("fd")).ok());
    say(all.map(Iterator::count).sum::<usize>());
    Ok(())
}

/// Asks what the first descriptors of all processes are, without opening their directories. Says how many
/// there are.
pub fn sweep_links() -> anyhow::Result<()> {
    const ASKED: u32 = 3;
    let directories = processes()?;
    let links = directories
        .iter()
        .flat_map(|process| (0..ASKED).map(move |number| process.join(format!("fd/{number}"))));
    say(links.filter_map(|link| fs::read_link(link).ok()).count());
    Ok(())
}

/// Has an iterator of BPF go through what the kernel has of a kind.
pub fn iterate(what: &str) -> anyhow::Result<()> {
    bpf::iterate(what).with_context(|| format!("cannot go through {what}"))?;
    say("done");
    Ok(())
}

/// Looks at much, and at no connections.
pub fn elsewhere() -> anyhow::Result<()> {
    list(&["/proc/meminfo", "/proc/self/status", "/proc/net/dev"])?;
    let descriptors = fs::read_dir("/proc/self/fd")?.map_while(Result::ok);
    for descriptor in descriptors {
        // That by which they are listed is one of them.
        let _ = fs::read_link(descriptor.path());
    }
    netlink::devices()
}

/// Becomes another program, of whose output nothing is kept, and which is told that this is its name.
pub fn become_program(words: &[&str]) -> anyhow::Result<()> {
    let [name, program, args @ ..] = words else {
        bail!("no program");
    };
    let mut command = Command::new(program);
    Err(command
        .arg0(name)
        .args(args)
        .stdout(Stdio::null())
        .exec()
        .into())
}

/// Becomes this program again, of a file that has no name, and goes on with these words.
pub fn without_a_name(words: &[&str]) -> anyhow::Result<()> {
    let mut file = File::from(memfd_create("copy", MFdFlags::MFD_CLOEXEC)?);
    std::io::copy(&mut File::open("/proc/self/exe")?, &mut file)?;
    let path = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    // What somebody could write to is not executed.
    let readable = File::open(path(&file))?;
    drop(file);
    let mut command = Command::new(path(&readable));
    Err(command.args(words).exec().into())
}
