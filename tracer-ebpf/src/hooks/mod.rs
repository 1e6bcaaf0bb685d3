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

/// Makes an iterator: a program that the kernel runs over all that it has of a kind, when the user half
/// reads. Called once more behind the last of them, with null. Where the ring fills up, it ends the
/// read, and the next one begins with the same object.
macro_rules! iterate {
    ($section:literal, $name:ident, |$ctx:ident| $body:expr) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = $section)]
        extern "C" fn $name(ctx: *mut core::ffi::c_void) -> i32 {
            const AGAIN: i32 = 1;
            if $crate::ring::is_filling() {
                return AGAIN;
            }
            let $ctx = aya_ebpf::programs::BtfTracePointContext::new(ctx);
            $body;
            0
        }
    };
}

mod accept;
mod answer;
mod bind;
mod cgroup;
mod close;
mod connect;
mod datagram;
mod destroy;
mod existing;
mod existing_udp;
mod io_uring;
mod listen;
mod look;
mod look_calls;
mod look_uring;
mod process;
mod refusal;
mod send;
mod socket;
mod state;
mod sweep;
mod sys_enter;
mod sys_exit;
mod translated;
mod update;
