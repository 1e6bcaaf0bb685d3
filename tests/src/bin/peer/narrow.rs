//! System calls as a 32-bit program makes them: by other numbers, or all through one.

use std::{
    arch::asm,
    net::{SocketAddrV4, TcpListener, TcpStream},
    num::NonZeroUsize,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, bail};
use nix::{
    errno::Errno,
    libc,
    sys::mman::{MapFlags, ProtFlags, mmap_anonymous},
};

use crate::{
    listeners::listener,
    say,
    talking::{answer, exchange},
};

/// How the calls are made.
#[derive(Clone, Copy)]
enum Way {
    /// Each by its number (since 4.3).
    Direct,
    /// Through `socketcall`.
    Socketcall,
}

/// A call by its number, and by what `socketcall` calls it.
type Call = (u32, u32);
const SOCKET: Call = (359, 1);
const CONNECT: Call = (362, 3);
const ACCEPT4: Call = (364, 18);
const SOCKETCALL: u32 = 102;

/// Memory that a pointer of 32 bits reaches.
struct Low {
    at: *mut u8,
}

impl Low {
    const SIZE: usize = 4096;

    fn new() -> anyhow::Result<Self> {
        let size = NonZeroUsize::new(Self::SIZE).context("no size")?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory, which nothing else uses.
        let at = unsafe { mmap_anonymous(None, size, access, flags) }?;
        Ok(Self {
            at: at.as_ptr().cast(),
        })
    }

    /// Puts something there, and says where.
    fn put(&self, offset: usize, bytes: &[u8]) -> anyhow::Result<u32> {
        anyhow::ensure!(offset + bytes.len() <= Self::SIZE, "no room");
        let at = self.at.wrapping_add(offset);
        // SAFETY: within the memory, which only this writes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
        Ok(u32::try_from(at as usize)?)
    }
}

/// Makes a call.
fn call(way: Way, (number, of_socketcall): Call, arguments: [u32; 4]) -> anyhow::Result<i32> {
    let low = Low::new()?;
    let result = match way {
        Way::Direct => enter(number, arguments),
        Way::Socketcall => {
            let words: Vec<u8> = arguments
                .iter()
                .flat_map(|word| word.to_ne_bytes())
                .collect();
            enter(SOCKETCALL, [of_socketcall, low.put(0, &words)?, 0, 0])
        }
    };
    Ok(result)
}

/// Enters the kernel by the gate of 32-bit programs. What it answers: a negative errno, or a result.
fn enter(number: u32, [first, second, third, fourth]: [u32; 4]) -> i32 {
    let result: u32;
    // SAFETY: what the arguments point to outlives the call. The register of the first is one that the
    // compiler keeps for itself; it is given back.
    unsafe {
        asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) u64::from(first) => _,
            inout("eax") number => result,
            in("rcx") u64::from(second),
            in("rdx") u64::from(third),
            in("rsi") u64::from(fourth),
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    result.cast_signed()
}

fn checked(result: i32) -> anyhow::Result<OwnedFd> {
    if result < 0 {
        bail!(Errno::from_raw(-result));
    }
    // SAFETY: the kernel has just handed it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

fn way_of(word: &str) -> anyhow::Result<Way> {
    match word {
        "direct" => Ok(Way::Direct),
        "socketcall" => Ok(Way::Socketcall),
        other => bail!("unknown way {other}"),
    }
}

/// A socket, and what came of connecting it.
fn connected(way: Way, to: SocketAddrV4) -> anyhow::Result<(OwnedFd, i32)> {
    let family = libc::AF_INET.unsigned_abs();
    let kind = libc::SOCK_STREAM.unsigned_abs();
    let socket = checked(call(way, SOCKET, [family, kind, 0, 0])?)?;
    let mut address = Vec::new();
    address.extend(u16::try_from(family)?.to_ne_bytes());
    address.extend(to.port().to_be_bytes());
    address.extend(to.ip().octets());
    address.extend([0; 8]);
    let low = Low::new()?;
    let at = low.put(0, &address)?;
    let descriptor = socket.as_raw_fd().unsigned_abs();
    let len = u32::try_from(address.len())?;
    let result = call(way, CONNECT, [descriptor, at, len, 0])?;
    Ok((socket, result))
}

/// Connects, and exchanges ten bytes each way.
pub fn connect(to: SocketAddrV4, way: &str) -> anyhow::Result<()> {
    let (socket, result) = connected(way_of(way)?, to)?;
    anyhow::ensure!(result == 0, "connect answered {result}");
    exchange(&TcpStream::from(socket), 10, 10)
}

/// Connects in vain, and says the errno.
pub fn fails(to: SocketAddrV4, way: &str) -> anyhow::Result<()> {
    let (_, result) = connected(way_of(way)?, to)?;
    say(-result);
    Ok(())
}

/// Accepts a connection, and receives and sends ten bytes.
pub fn serve(at: SocketAddrV4, way: &str) -> anyhow::Result<()> {
    let listener: TcpListener = listener(at.into())?;
    let descriptor = listener.as_raw_fd().unsigned_abs();
    let socket = checked(call(way_of(way)?, ACCEPT4, [descriptor, 0, 0, 0])?)?;
    answer(&TcpStream::from(socket), 10, 10)
}
