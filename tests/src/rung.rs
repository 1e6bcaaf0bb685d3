//! The rungs of the ladder of hooks that each kernel test runs on.

/// What is given to `--hooks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// What this kernel grants, best first.
    Auto,
    /// Trampolines, with accept at the return of `inet_csk_accept`.
    Fexit,
    /// Kprobes.
    Kprobe,
    /// Kprobes, with accept at the return of `inet_csk_accept`.
    Kretprobe,
    /// Neither trampolines nor kprobes.
    Tracepoint,
}

impl Rung {
    /// The value of `--hooks`.
    #[must_use]
    pub fn hooks(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fexit => "fentry,accept=fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kprobe,accept=kretprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// Makes a test for each rung of each function that takes one: `module::function::rung`.
///
/// Those that begin with `own:` start a conntracer of their own, which takes ten seconds in emulation:
/// `module::function::own::rung`. Each kernel of the virtual machines has its share of these, and all of
/// the others (`xtask/src/vm/kernels.rs`).
#[macro_export]
macro_rules! on_every_rung {
    ($($tests:tt)+) => {
        $crate::on_rungs!([auto Auto, fexit Fexit, kprobe Kprobe, kretprobe Kretprobe,
            tracepoint Tracepoint] $($tests)+);
    };
}

/// The same for functions in which nobody accepts: without the rungs that are others for accept only.
#[macro_export]
macro_rules! on_rungs_of_attempts {
    ($($tests:tt)+) => {
        $crate::on_rungs!([auto Auto, kprobe Kprobe, tracepoint Tracepoint] $($tests)+);
    };
}

/// The same for functions about what has the same rung on every kernel: with the best and the lowest of
/// everything else.
#[macro_export]
macro_rules! on_outer_rungs {
    ($($tests:tt)+) => {
        $crate::on_rungs!([auto Auto, tracepoint Tracepoint] $($tests)+);
    };
}

/// The same for functions that are about no rung: with what this kernel grants.
#[macro_export]
macro_rules! on_the_best_rung {
    ($($tests:tt)+) => {
        $crate::on_rungs!([auto Auto] $($tests)+);
    };
}

/// The same for functions about what only the lowest rung has.
#[macro_export]
macro_rules! on_the_lowest_rung {
    ($($tests:tt)+) => {
        $crate::on_rungs!([tracepoint Tracepoint] $($tests)+);
    };
}

/// Makes the tests of functions on rungs.
#[doc(hidden)]
#[macro_export]
macro_rules! on_rungs {
    ($rungs:tt own: $($test:ident),+ $(,)?) => {
        $(
            mod $test {
                use super::$test;

                mod own {
                    $crate::on_rungs!(@tests $rungs $test);
                }
            }
        )+
    };
    ($rungs:tt $($test:ident),+ $(,)?) => {
        $(
            mod $test {
                $crate::on_rungs!(@tests $rungs $test);
            }
        )+
    };
    (@tests [$($name:ident $rung:ident),+] $test:ident) => {
        $(
            #[test]
            fn $name() {
                super::$test($crate::rung::Rung::$rung);
            }
        )+
    };
}
