//! Running conntracer to its end.

use std::{
    ffi::OsStr,
    os::unix::{fs::PermissionsExt, process::CommandExt as _},
    process::{Command, Output, Stdio},
};

use tracer_tests::conntracer;

use tracer_tests::scratch::Scratch;

/// A user who may do nothing special.
const NOBODY: u32 = 65534;

/// Runs it with these arguments.
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Output {
    end(Command::new(conntracer()).args(args))
}

fn end(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// What was written, which is always UTF-8.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// conntracer where a user without privileges can run it.
pub struct Unprivileged {
    program: String,
    _scratch: Scratch,
}

impl Unprivileged {
    /// Copies it to where everybody may run it.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let program = scratch.file("conntracer");
        std::fs::copy(conntracer(), &program).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        Self {
            program,
            _scratch: scratch,
        }
    }

    /// What it is called.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Runs it with these arguments.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        end(Command::new(&self.program)
            .args(args)
            .uid(NOBODY)
            .gid(NOBODY))
    }
}
