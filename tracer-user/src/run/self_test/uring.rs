//! Connecting and accepting through `io_uring`, without a system call of its own.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
};

use anyhow::Context as _;
use io_uring::{IoUring, opcode, squeue, types};
use nix::{
    errno::Errno,
    sys::socket::{SockaddrLike as _, SockaddrStorage},
};

use super::traffic::tcp_socket;

/// Requests that a ring has room for.
const ENTRIES: u32 = 2;

/// A ring that does one thing at a time.
pub struct Ring(IoUring);

impl Ring {
    /// A ring, where the kernel has them and grants them.
    pub fn new() -> anyhow::Result<Self> {
        let ring = IoUring::new(ENTRIES).context("this kernel grants no io_uring")?;
        Ok(Self(ring))
    }

    /// Connects to an address.
    pub fn connect(&mut self, to: SocketAddr) -> anyhow::Result<TcpStream> {
        let socket = tcp_socket(to)?;
        let address = SockaddrStorage::from(to);
        let descriptor = types::Fd(socket.as_raw_fd());
        let request = opcode::Connect::new(descriptor, address.as_ptr(), address.len()).build();
        // SAFETY: the address and the socket outlive the call, which waits for the completion.
        unsafe { self.call(&request) }.context("connect through io_uring")?;
        Ok(socket.into())
    }

    /// Takes a connection.
    pub fn accept(&mut self, listener: &TcpListener) -> anyhow::Result<TcpStream> {
        let descriptor = types::Fd(listener.as_raw_fd());
        let request = opcode::Accept::new(descriptor, ptr::null_mut(), ptr::null_mut()).build();
        // SAFETY: it points to nothing.
        let accepted = unsafe { self.call(&request) }.context("accept through io_uring")?;
        // SAFETY: the kernel has just handed it to us.
        Ok(unsafe { OwnedFd::from_raw_fd(accepted) }.into())
    }

    /// Submits a request and waits for its completion.
    ///
    /// # Safety
    /// What the request points to must outlive the call.
    unsafe fn call(&mut self, request: &squeue::Entry) -> anyhow::Result<i32> {
        // SAFETY: the caller promises it.
        unsafe { self.0.submission().push(request) }.context("the ring is full")?;
        self.0.submit_and_wait(1)?;
        let completion = self.0.completion().next().context("nothing came back")?;
        let result = completion.result();
        if result < 0 {
            return Err(Errno::from_raw(-result).into());
        }
        Ok(result)
    }
}
