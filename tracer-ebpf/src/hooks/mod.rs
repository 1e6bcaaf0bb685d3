//! The programs, by the fact that they report.
//!
//! A program is named `<fact>_<kind of hook>`; the kernel keeps fifteen characters of it.

/// Makes two programs of one body.
///
/// The kernel does not run a tracing program on a CPU on which it is running already (trampolines
/// since 5.12, tracepoints since 6.1): a softirq that interrupts it, or another task where programs
/// are preempted, finds the hook dead. The second program at the same hook runs all the same, and does
/// the work where the first one left no mark of this call. Now and then it cannot know, so the body
/// must do nothing where its work is done already.
macro_rules! twice {
    (
        $(#[$hook:meta])* $name:ident and $again:ident,
        |$ctx:ident: $context:ty| $body:expr, of $call:expr
    ) => {
        $(#[$hook])*
        fn $name($ctx: $context) -> i32 {
            $crate::marks::leave($call);
            $body;
            0
        }

        $(#[$hook])*
        fn $again($ctx: $context) -> i32 {
            if $crate::marks::is_missing($call) {
                $body;
                $crate::counters::count_covered();
            }
            0
        }
    };
}

/// Tells the hooks of one task apart.
mod hook {
    pub const CONNECT: u8 = 1;
    pub const ACCEPT: u8 = 2;
    pub const CLOSE: u8 = 3;
    pub const LISTEN: u8 = 4;
    pub const SECURE: u8 = 5;
    pub const SECURED: u8 = 6;
    pub const ATTEMPT: u8 = 7;
    pub const ATTEMPTED: u8 = 8;
    pub const SYS_EXIT: u8 = 9;
}

mod accept;
mod cgroup;
mod close;
mod connect;
mod destroy;
mod listen;
mod process;
mod refusal;
mod state;
mod sys_exit;
