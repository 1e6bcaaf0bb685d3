//! `struct io_kiocb`: a request of io_uring.

use tracer_abi::Offsets;

use super::{
    File, Sock,
    memory::{Plain, Probed, probe},
};
use crate::globals::{global, offset};

/// What a request asks for, of what matters here (`enum io_uring_op`, uapi).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `IORING_OP_ACCEPT`
    Accept,
    /// `IORING_OP_CONNECT`
    Connect,
    /// `IORING_OP_SOCKET` (since 5.19)
    Socket,
}

impl Operation {
    /// The one of a number; `None` for any other.
    #[inline(always)]
    pub fn of(number: u8) -> Option<Self> {
        match number {
            13 => Some(Self::Accept),
            16 => Some(Self::Connect),
            45 => Some(Self::Socket),
            _ => None,
        }
    }
}

/// What a request asks for, of what may show connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LookOperation {
    /// `IORING_OP_OPENAT`, `IORING_OP_OPENAT2`
    Open,
    /// `IORING_OP_READV`, `IORING_OP_READ_FIXED`, `IORING_OP_READ`
    Read,
    /// `IORING_OP_SENDMSG`, `IORING_OP_SEND`, those of zero copy, and writes
    Send,
    /// `IORING_OP_SOCKET` (since 5.19)
    Socket,
}

impl LookOperation {
    /// The one of a number; `None` for any other.
    #[inline(always)]
    pub fn of(number: u8) -> Option<Self> {
        match number {
            18 | 28 => Some(Self::Open),
            1 | 4 | 22 => Some(Self::Read),
            2 | 5 | 9 | 23 | 26 | 47 | 48 => Some(Self::Send),
            45 => Some(Self::Socket),
            _ => None,
        }
    }
}

/// A request.
#[derive(Clone, Copy)]
pub struct Request {
    at: *const u8,
}

impl Request {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    #[inline(always)]
    fn read<T: Plain>(self, offset: usize) -> T {
        probe::<T>(self.at, offset)
    }

    #[inline(always)]
    pub fn operation(self) -> Option<Operation> {
        Operation::of(self.read(offset!(request_opcode)))
    }

    /// The same, of what may show connections.
    #[inline(always)]
    pub fn look(self) -> Option<LookOperation> {
        LookOperation::of(self.read(offset!(request_opcode)))
    }

    /// The file it is about; still held while the request completes.
    #[inline(always)]
    pub fn file(self) -> File {
        File::new(self.read(offset!(request_file)))
    }

    /// The socket it is about.
    #[inline(always)]
    pub fn sock(self) -> Option<Sock<Probed>> {
        let socket = self.file().socket()?;
        Some(Sock::new(socket.sk()))
    }

    /// What it opens goes into the table of its ring, and its result is no descriptor.
    #[inline(always)]
    pub fn is_direct(self, operation: Operation) -> bool {
        let at = match operation {
            Operation::Accept => global!(OFFSETS.accept_slot),
            Operation::Socket => global!(OFFSETS.open_socket_slot),
            Operation::Connect => return false,
        };
        self.has_slot(at)
    }

    /// The same, of what may show connections.
    #[inline(always)]
    pub fn is_direct_look(self, operation: LookOperation) -> bool {
        match operation {
            LookOperation::Open => self.has_slot(global!(OFFSETS.open_slot)),
            LookOperation::Socket => self.has_slot(global!(OFFSETS.open_socket_slot)),
            LookOperation::Read | LookOperation::Send => false,
        }
    }

    /// Whether there is something at the place where an operation keeps the slot of its ring's table.
    #[inline(always)]
    fn has_slot(self, at: u32) -> bool {
        // Missing where the kernel cannot do that yet. What an operation keeps for itself lies where
        // the file lies, which is the first member of each.
        at != Offsets::MISSING && self.read::<u32>(offset!(request_file) + at as usize) != 0
    }
}

/// `struct io_uring_cqe`: what a program reads of the end of a request.
#[derive(Clone, Copy)]
pub struct Completion {
    at: *const u8,
}

impl Completion {
    #[inline(always)]
    pub fn new(at: *const u8) -> Self {
        Self { at }
    }

    #[inline(always)]
    pub fn result(self) -> i32 {
        probe::<i32>(self.at, offset!(completion_result))
    }

    #[inline(always)]
    pub fn flags(self) -> u32 {
        probe::<u32>(self.at, offset!(completion_flags))
    }
}
