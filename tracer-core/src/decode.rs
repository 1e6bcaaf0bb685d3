//! Frames from the ring, checked and given types.

use std::fmt;

use tracer_abi::{
    AnswerFrame, CgroupFrame, ConnectionFrame, DestinationFrame, Direction, ExecFrame, ExitFrame,
    ForkFrame, Glance, Header, Kind, LookFrame, Protocol as RawProtocol, SocketFrame, exec_flag,
    tcp,
};
use zerocopy::FromBytes;

use crate::{protocol::Protocol, record::Event, socket::SocketKind, text::lossy};

/// A frame that made sense.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Something happened to a connection or listener.
    Connection(Event, ConnectionFrame),
    /// A process opened a socket of a kind that is not followed.
    Socket(SocketFrame),
    /// A process executed a program.
    Exec(Exec),
    /// A process looks at the connections of this host.
    Look(Look),
    /// A process was forked.
    Fork(ForkFrame),
    /// A process ended.
    Exit(ExitFrame),
    /// A cgroup was made.
    Cgroup(Cgroup),
    /// What may be an answer of DNS came.
    Answer(Answer),
    /// A process holds a connection or listener that is older than tracing.
    Holder(ConnectionFrame),
    /// What a program asked to be connected with.
    Requested(DestinationFrame),
    /// Where the SYN of an attempt went.
    Translated(DestinationFrame),
}

/// An exec frame with its strings.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The fixed part.
    pub fixed: ExecFrame,
    /// Path of the executable; empty if it could not be read.
    pub exe: String,
    /// Inode number of its network namespace.
    pub netns: Option<u32>,
    /// Arguments; `None` if they could not be read.
    pub args: Option<Vec<String>>,
}

/// An answer frame with its message.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The fixed part.
    pub fixed: AnswerFrame,
    /// What came.
    pub message: Vec<u8>,
}

/// A look frame with its path.
#[derive(Clone, Debug)]
pub struct Look {
    /// The fixed part.
    pub fixed: LookFrame,
    /// The working directory.
    pub cwd: String,
}

/// A cgroup frame with its path.
#[derive(Clone, Debug)]
pub struct Cgroup {
    /// The fixed part.
    pub fixed: CgroupFrame,
    /// Path in its hierarchy.
    pub path: String,
}

/// Why a frame makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than its kind needs.
    Short {
        /// Kind of frame.
        kind: u16,
        /// Bytes there are.
        len: usize,
    },
    /// A kind that no program writes.
    UnknownKind(u16),
    /// A field has a value that no program writes.
    BadField {
        /// Kind of frame.
        kind: u16,
        /// Name of the field.
        field: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { kind, len } => write!(f, "a frame of kind {kind} has only {len} bytes"),
            Self::UnknownKind(kind) => write!(f, "unknown kind of frame {kind}"),
            Self::BadField { kind, field } => {
                write!(f, "a frame of kind {kind} has a senseless {field}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// The kind of a frame, if it has as much as a header.
#[must_use]
pub fn kind_of(bytes: &[u8]) -> Option<u16> {
    Header::read_from_prefix(bytes)
        .ok()
        .map(|(header, _)| header.kind)
}

/// Bytes of a frame that carry data; what lies behind them is left over from earlier frames.
#[must_use]
pub fn used(bytes: &[u8]) -> &[u8] {
    let len = Header::read_from_prefix(bytes).map_or(0, |(header, _)| header.len as usize);
    bytes.get(..len).unwrap_or(bytes)
}

/// Decodes one frame. Any bytes are safe to give.
///
/// # Errors
/// If they are no frame, and why.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let kind = kind_of(bytes).ok_or(DecodeError::Short {
        kind: u16::MAX,
        len: bytes.len(),
    })?;
    match kind {
        Kind::CONNECT => connection(Event::Connect, bytes),
        Kind::ESTABLISHED => connection(Event::Established, bytes),
        Kind::FAILED => connection(Event::Failed, bytes),
        Kind::ACCEPT => connection(Event::Accept, bytes),
        Kind::CLOSE => connection(Event::Close, bytes),
        Kind::LISTEN => connection(Event::Listen, bytes),
        Kind::UNLISTEN => connection(Event::Unlisten, bytes),
        Kind::EXISTING => connection(Event::Existing, bytes),
        Kind::UPDATE => connection(Event::Update, bytes),
        Kind::EXEC => exec(bytes),
        Kind::FORK => Ok(Frame::Fork(fixed(kind, bytes)?.0)),
        Kind::EXIT => Ok(Frame::Exit(fixed(kind, bytes)?.0)),
        Kind::CGROUP => cgroup(bytes),
        Kind::ANSWER => answer(bytes),
        Kind::HOLDER => Ok(Frame::Holder(connection_frame(bytes)?)),
        Kind::SOCKET => socket(bytes),
        Kind::LOOK => look(bytes),
        Kind::STATE => state(bytes),
        Kind::REQUESTED => Ok(Frame::Requested(fixed(kind, bytes)?.0)),
        Kind::TRANSLATED => Ok(Frame::Translated(fixed(kind, bytes)?.0)),
        unknown => Err(DecodeError::UnknownKind(unknown)),
    }
}

/// The fixed part of a frame and what follows it.
fn fixed<T: FromBytes>(kind: u16, bytes: &[u8]) -> Result<(T, &[u8]), DecodeError> {
    T::read_from_prefix(bytes).map_err(|_| DecodeError::Short {
        kind,
        len: bytes.len(),
    })
}

/// So many bytes of the tail of a frame, and what follows them.
fn split<'a>(
    kind: u16,
    frame: &[u8],
    tail: &'a [u8],
    len: u32,
) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    tail.split_at_checked(len as usize)
        .ok_or(DecodeError::Short {
            kind,
            len: frame.len(),
        })
}

fn connection(event: Event, bytes: &[u8]) -> Result<Frame, DecodeError> {
    Ok(Frame::Connection(event, connection_frame(bytes)?))
}

fn connection_frame(bytes: &[u8]) -> Result<ConnectionFrame, DecodeError> {
    let (frame, _) = ConnectionFrame::read_from_prefix(bytes).map_err(|_| DecodeError::Short {
        kind: kind_of(bytes).unwrap_or(u16::MAX),
        len: bytes.len(),
    })?;
    let bad = |field| DecodeError::BadField {
        kind: frame.header.kind,
        field,
    };
    if !matches!(frame.connection.family, 4 | 6) {
        return Err(bad("family"));
    }
    if Protocol::of_number(frame.connection.protocol).is_none() {
        return Err(bad("protocol"));
    }
    if frame.connection.direction > Direction::LISTENING {
        return Err(bad("direction"));
    }
    Ok(frame)
}

/// A state change, which only TCP connections have; of a listener other frames tell.
fn state(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let frame = connection_frame(bytes)?;
    let (old, new) = (frame.detail.old_state, frame.detail.new_state);
    let field = if frame.connection.protocol != RawProtocol::TCP {
        "protocol"
    } else if frame.connection.direction == Direction::LISTENING {
        "direction"
    } else if !is_state(old) {
        "old_state"
    } else if !is_state(new) || new == old {
        "new_state"
    } else {
        return Ok(Frame::Connection(Event::State, frame));
    };
    Err(DecodeError::BadField {
        kind: Kind::STATE,
        field,
    })
}

/// Whether the socket of a connection can be in it.
fn is_state(state: u8) -> bool {
    (tcp::ESTABLISHED..=tcp::CLOSING).contains(&state)
}

fn socket(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (frame, _): (SocketFrame, _) = fixed(Kind::SOCKET, bytes)?;
    let bad = |field| DecodeError::BadField {
        kind: Kind::SOCKET,
        field,
    };
    if SocketKind::of(&frame).is_none() {
        return Err(bad("family"));
    }
    if frame.owner.tgid == 0 {
        return Err(bad("owner"));
    }
    Ok(Frame::Socket(frame))
}

fn look(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (fixed, tail): (LookFrame, _) = fixed(Kind::LOOK, bytes)?;
    let bad = |field| DecodeError::BadField {
        kind: Kind::LOOK,
        field,
    };
    if fixed.look.glance >= Glance::COUNT {
        return Err(bad("glance"));
    }
    if fixed.actor.tgid == 0 {
        return Err(bad("actor"));
    }
    let (path, _) = split(Kind::LOOK, bytes, tail, fixed.cwd_len)?;
    Ok(Frame::Look(Look {
        cwd: if path.is_empty() {
            "/".to_owned()
        } else {
            path_of(path, fixed.cwd_is_truncated == 1)
        },
        fixed,
    }))
}

fn exec(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (fixed, tail): (ExecFrame, _) = fixed(Kind::EXEC, bytes)?;
    let (path, mut behind) = split(Kind::EXEC, bytes, tail, fixed.exe_len)?;
    let mut netns = None;
    if fixed.flags & exec_flag::HAS_NETNS != 0 {
        let (number, rest) = u32::read_from_prefix(behind).map_err(|_| DecodeError::Short {
            kind: Kind::EXEC,
            len: bytes.len(),
        })?;
        (netns, behind) = (Some(number), rest);
    }
    let (args, _) = split(Kind::EXEC, bytes, behind, fixed.args_len)?;
    let is_readable = fixed.flags & exec_flag::ARGS_UNREADABLE == 0;
    Ok(Frame::Exec(Exec {
        exe: path_of(path, fixed.flags & exec_flag::EXE_TRUNCATED != 0),
        netns,
        args: is_readable.then(|| arguments(args)),
        fixed,
    }))
}

/// Puts the components of a path, last one first, each with a zero byte, into their order.
fn path_of(components: &[u8], is_truncated: bool) -> String {
    let components: Vec<&[u8]> = components
        .split(|byte| *byte == 0)
        .filter(|component| !component.is_empty())
        .collect();
    let mut path = Vec::new();
    if is_truncated {
        path.extend_from_slice(b"...");
    }
    for component in components.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(component);
    }
    lossy(&path)
}

/// Splits arguments, each ended by a zero byte; the last may be cut off.
#[must_use]
pub fn arguments(bytes: &[u8]) -> Vec<String> {
    // Not after the last zero byte is gone: that alone is one argument, an empty one.
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(lossy).collect()
}

fn answer(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (fixed, tail): (AnswerFrame, _) = fixed(Kind::ANSWER, bytes)?;
    let (message, _) = split(Kind::ANSWER, bytes, tail, fixed.message_len)?;
    Ok(Frame::Answer(Answer {
        fixed,
        message: message.to_vec(),
    }))
}

fn cgroup(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let (fixed, tail): (CgroupFrame, _) = fixed(Kind::CGROUP, bytes)?;
    let (path, _) = split(Kind::CGROUP, bytes, tail, fixed.path_len)?;
    Ok(Frame::Cgroup(Cgroup {
        path: lossy(path.split(|byte| *byte == 0).next().unwrap_or_default()),
        fixed,
    }))
}
