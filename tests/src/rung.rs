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
#[macro_export]
macro_rules! on_every_rung {
    ($($test:ident),+ $(,)?) => {
        $($crate::on_rungs!($test: auto Auto, fexit Fexit, kprobe Kprobe, kretprobe Kretprobe,
            tracepoint Tracepoint);)+
    };
}

/// The same for functions in which nobody accepts: without the rungs that are others for accept only.
#[macro_export]
macro_rules! on_rungs_of_attempts {
    ($($test:ident),+ $(,)?) => {
        $($crate::on_rungs!($test: auto Auto, kprobe Kprobe, tracepoint Tracepoint);)+
    };
}

/// The same for functions about what has the same rung on every kernel: with the best and the lowest of
/// everything else.
#[macro_export]
macro_rules! on_outer_rungs {
    ($($test:ident),+ $(,)?) => {
        $($crate::on_rungs!($test: auto Auto, tracepoint Tracepoint);)+
    };
}

/// Makes the tests of a function on rungs.
#[doc(hidden)]
#[macro_export]
macro_rules! on_rungs {
    ($test:ident: $($name:ident $rung:ident),+) => {
        mod $test {
            use $crate::rung::Rung;

            $(
                #[test]
                fn $name() {
                    super::$test(Rung::$rung);
                }
            )+
        }
    };
}
