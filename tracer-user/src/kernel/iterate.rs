//! Iterators: programs that the kernel runs over all that it has of a kind, when we read.
//!
//! aya attaches them, but neither over a map nor so that they can be run again.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use nix::libc;

/// Commands of the system call (`enum bpf_cmd`).
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
/// `enum bpf_attach_type`
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_iter_link_info`, of a map.
#[repr(C)]
struct OverMap {
    map: u32,
}

/// `union bpf_attr` of `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_len: u32,
    padding: u32,
}

/// `union bpf_attr` of `BPF_ITER_CREATE`.
#[repr(C)]
struct IterCreate {
    link: u32,
    flags: u32,
}

/// A program that can be run over all of something.
#[derive(Debug)]
pub struct Iterator {
    link: OwnedFd,
}

impl Iterator {
    /// One for a loaded program; over the elements of a map, if one is given.
    pub fn new(program: BorrowedFd<'_>, over: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let info = over.map(|map| OverMap { map: number(map) });
        let attributes = LinkCreate {
            program: number(program),
            target: 0,
            attach_type: BPF_TRACE_ITER,
            flags: 0,
            info: info
                .as_ref()
                .map_or(0, |info| std::ptr::from_ref(info) as u64),
            info_len: info.as_ref().map_or(0, |_| 4),
            padding: 0,
        };
        // SAFETY: the attributes are those of the command, and what they point to outlives the call.
        let link = unsafe { bpf(BPF_LINK_CREATE, &attributes) }?;
        Ok(Self { link })
    }

    /// Runs the program over everything, in the network namespace of the calling thread, or as far as
    /// it gets until it is not to go on.
    pub fn run(&self, goes_on: impl Fn() -> bool) -> io::Result<()> {
        let attributes = IterCreate {
            link: number(self.link.as_fd()),
            flags: 0,
        };
        // SAFETY: the attributes are those of the command.
        let mut iteration = File::from(unsafe { bpf(BPF_ITER_CREATE, &attributes) }?);
        // The programs write nothing, so every read goes on to the end, or to where the kernel wants
        // to do something else, or a program waits for the ring to be read.
        let mut nothing = [0; 64];
        while goes_on() {
            match iteration.read(&mut nothing) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::yield_now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().unsigned_abs()
}

/// The system call, for a command that gives a descriptor.
///
/// # Safety
/// The attributes are those of the command.
unsafe fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let attributes = std::ptr::from_ref(attributes);
    // SAFETY: the kernel reads as many bytes as it is told.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    let descriptor = RawFd::try_from(nix::errno::Errno::result(result)?)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
