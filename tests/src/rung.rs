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
        $(
            mod $test {
                use $crate::rung::Rung;

                #[test]
                fn auto() {
                    super::$test(Rung::Auto);
                }

                #[test]
                fn fexit() {
                    super::$test(Rung::Fexit);
                }

                #[test]
                fn kprobe() {
                    super::$test(Rung::Kprobe);
                }

                #[test]
                fn kretprobe() {
                    super::$test(Rung::Kretprobe);
                }

                #[test]
                fn tracepoint() {
                    super::$test(Rung::Tracepoint);
                }
            }
        )+
    };
}
