//! How an attempt or a connection ended, from what the socket said.

use serde::{Deserialize, Serialize};
use tracer_abi::{Connection, Detail, sock_flag, tcp};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The other host refused the attempt.
    Refused,
    /// The kernel gave up waiting.
    Timeout,
    /// There is no way to the other host.
    Unreachable,
    /// The attempt was reset.
    Reset,
    /// A rule of this host forbade the attempt before anything left.
    Denied,
    /// The program gave up, closed or died first.
    Aborted,
    /// This host could not make the attempt.
    LocalError,
    /// Both sides were done.
    Finished,
    /// This host reset the connection.
    ResetLocal,
    /// The other host reset the connection.
    ResetRemote,
    /// Nothing moved any more.
    Idle,
}

impl Outcome {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::Refused,
        Self::Timeout,
        Self::Unreachable,
        Self::Reset,
        Self::Denied,
        Self::Aborted,
        Self::LocalError,
        Self::Finished,
        Self::ResetLocal,
        Self::ResetRemote,
        Self::Idle,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Denied => "denied",
            Self::Aborted => "aborted",
            Self::LocalError => "local_error",
            Self::Finished => "finished",
            Self::ResetLocal => "reset_local",
            Self::ResetRemote => "reset_remote",
            Self::Idle => "idle",
        }
    }
}

/// Errnos by which the kernel tells how it ended (`asm-generic/errno*.h`).
mod errno {
    pub const EPERM: u32 = 1;
    pub const EACCES: u32 = 13;
    pub const EPIPE: u32 = 32;
    pub const ENETDOWN: u32 = 100;
    pub const ENETUNREACH: u32 = 101;
    pub const ECONNABORTED: u32 = 103;
    pub const ECONNRESET: u32 = 104;
    pub const ETIMEDOUT: u32 = 110;
    pub const ECONNREFUSED: u32 = 111;
    pub const EHOSTUNREACH: u32 = 113;
}

/// How an outbound attempt ended.
#[must_use]
pub fn of_attempt(connection: &Connection, detail: &Detail) -> Outcome {
    let left_nothing = connection.flags & Connection::NO_SYN != 0;
    match detail.error {
        // The socket had no complaint: the program closed it, gave up waiting, or died.
        0 | errno::ECONNABORTED => Outcome::Aborted,
        errno::ECONNREFUSED => Outcome::Refused,
        errno::ETIMEDOUT => Outcome::Timeout,
        errno::ENETUNREACH | errno::EHOSTUNREACH | errno::ENETDOWN => Outcome::Unreachable,
        errno::EPERM | errno::EACCES if left_nothing => Outcome::Denied,
        errno::ECONNRESET => Outcome::Reset,
        _ if left_nothing => Outcome::LocalError,
        // What an ICMP message said of the way there, e.g. EACCES for "administratively
        // prohibited".
        _ => Outcome::Unreachable,
    }
}

/// How a flow of datagrams ended.
#[must_use]
pub fn of_flow(detail: &Detail) -> Outcome {
    if detail.sock_flags & sock_flag::IDLE != 0 {
        Outcome::Idle
    } else {
        Outcome::Finished
    }
}

/// How a connection ended.
#[must_use]
pub fn of_connection(detail: &Detail) -> Outcome {
    match detail.error {
        errno::ECONNRESET | errno::EPIPE => return Outcome::ResetRemote,
        errno::ETIMEDOUT => return Outcome::Timeout,
        // `ss --kill`
        errno::ECONNABORTED => return Outcome::ResetLocal,
        _ => {}
    }
    let has = |flag| detail.sock_flags & flag != 0;
    match detail.old_state {
        tcp::LAST_ACK | tcp::CLOSING | tcp::TIME_WAIT => Outcome::Finished,
        // The peer's FIN came, or nobody was left to wait for it; otherwise the program threw the
        // connection away (unread data, or a linger time of zero).
        tcp::FIN_WAIT2 if has(sock_flag::DONE) || has(sock_flag::DEAD) => Outcome::Finished,
        // What came back from the network while the connection ran out of retransmissions.
        _ if detail.error != 0 => Outcome::Timeout,
        _ => Outcome::ResetLocal,
    }
}

/// The name of an errno, where the kernel gave one.
#[must_use]
pub fn error_name(errno: u32) -> Option<String> {
    if errno == 0 {
        return None;
    }
    let known = NAMES.iter().find(|(number, _)| *number == errno);
    Some(known.map_or_else(|| format!("errno {errno}"), |(_, name)| (*name).to_owned()))
}

/// The errnos that `connect` and a TCP socket can have.
const NAMES: [(u32, &str); 45] = [
    (errno::EPERM, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (errno::EACCES, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (19, "ENODEV"),
    (22, "EINVAL"),
    (errno::EPIPE, "EPIPE"),
    (71, "EPROTO"),
    (75, "EOVERFLOW"),
    (88, "ENOTSOCK"),
    (90, "EMSGSIZE"),
    (91, "EPROTOTYPE"),
    (92, "ENOPROTOOPT"),
    (93, "EPROTONOSUPPORT"),
    (94, "ESOCKTNOSUPPORT"),
    (95, "EOPNOTSUPP"),
    (96, "EPFNOSUPPORT"),
    (97, "EAFNOSUPPORT"),
    (98, "EADDRINUSE"),
    (99, "EADDRNOTAVAIL"),
    (errno::ENETDOWN, "ENETDOWN"),
    (errno::ENETUNREACH, "ENETUNREACH"),
    (102, "ENETRESET"),
    (errno::ECONNABORTED, "ECONNABORTED"),
    (errno::ECONNRESET, "ECONNRESET"),
    (105, "ENOBUFS"),
    (106, "EISCONN"),
    (107, "ENOTCONN"),
    (108, "ESHUTDOWN"),
    (errno::ETIMEDOUT, "ETIMEDOUT"),
    (errno::ECONNREFUSED, "ECONNREFUSED"),
    (112, "EHOSTDOWN"),
    (errno::EHOSTUNREACH, "EHOSTUNREACH"),
    (114, "EALREADY"),
    (115, "EINPROGRESS"),
    (126, "ENOKEY"),
    (512, "ERESTARTSYS"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(old_state: u8, error: u32, sock_flags: u16) -> Detail {
        Detail {
            old_state,
            error,
            sock_flags,
            new_state: tcp::CLOSE,
            ..Detail::default()
        }
    }

    fn attempt(error: u32, left_nothing: bool) -> Outcome {
        let mut connection = Connection::UNKNOWN;
        if left_nothing {
            connection.flags = Connection::NO_SYN;
        }
        of_attempt(&connection, &detail(tcp::SYN_SENT, error, 0))
    }

    #[test]
    fn attempts() {
        assert_eq!(attempt(111, false), Outcome::Refused);
        assert_eq!(attempt(110, false), Outcome::Timeout);
        assert_eq!(attempt(113, false), Outcome::Unreachable);
        assert_eq!(attempt(101, true), Outcome::Unreachable);
        assert_eq!(attempt(104, false), Outcome::Reset);
        assert_eq!(attempt(0, false), Outcome::Aborted);
        assert_eq!(attempt(1, true), Outcome::Denied);
        assert_eq!(attempt(13, true), Outcome::Denied);
        assert_eq!(attempt(13, false), Outcome::Unreachable);
        assert_eq!(attempt(99, true), Outcome::LocalError);
    }

    #[test]
    fn connections() {
        let end = |state, error, flags| of_connection(&detail(state, error, flags));
        let both = sock_flag::DONE | sock_flag::DEAD;
        assert_eq!(end(tcp::LAST_ACK, 0, both), Outcome::Finished);
        assert_eq!(end(tcp::LAST_ACK, 113, both), Outcome::Finished);
        assert_eq!(end(tcp::FIN_WAIT2, 0, both), Outcome::Finished);
        assert_eq!(end(tcp::FIN_WAIT2, 0, sock_flag::DEAD), Outcome::Finished);
        assert_eq!(end(tcp::FIN_WAIT2, 0, 0), Outcome::ResetLocal);
        assert_eq!(end(tcp::ESTABLISHED, 0, 0), Outcome::ResetLocal);
        assert_eq!(end(tcp::FIN_WAIT1, 0, sock_flag::DEAD), Outcome::ResetLocal);
        assert_eq!(end(tcp::ESTABLISHED, 104, 0), Outcome::ResetRemote);
        assert_eq!(end(tcp::CLOSE_WAIT, 32, 0), Outcome::ResetRemote);
        assert_eq!(end(tcp::ESTABLISHED, 110, 0), Outcome::Timeout);
        assert_eq!(end(tcp::ESTABLISHED, 113, 0), Outcome::Timeout);
        assert_eq!(end(tcp::ESTABLISHED, 103, 0), Outcome::ResetLocal);
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(error_name(0), None);
        assert_eq!(error_name(111).as_deref(), Some("ECONNREFUSED"));
        assert_eq!(error_name(4095).as_deref(), Some("errno 4095"));
    }
}
