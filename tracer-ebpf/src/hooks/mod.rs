//! The programs, by the fact that they report.
//!
//! A program is named `<fact>_<kind of hook>`; the kernel keeps fifteen characters of it.

/// Makes two programs of one body.
///
/// The kernel does not run a tracing program on a CPU on which it is running already (trampolines
/// since 5.12, tracepoints since 6.1): a softirq that interrupts it, or another task where programs
/// are preempted, finds the hook dead. The second program at the same hook runs all the same. So the
/// body must do nothing where its work is done already.
macro_rules! twice {
    ($(#[$hook:meta])* $name:ident and $again:ident, |$ctx:ident: $context:ty| $body:expr) => {
        $(#[$hook])*
        fn $name($ctx: $context) -> i32 {
            $body;
            0
        }

        $(#[$hook])*
        fn $again($ctx: $context) -> i32 {
            $body;
            0
        }
    };
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
