//! The initramfs: the static file under test, the static files that test it, and nothing else.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};

use super::Kernel;
use crate::{
    build::{self, TARGET},
    command::{command, root},
};

/// Where it is.
pub fn path() -> PathBuf {
    root().join("target/vm/initramfs")
}

/// Builds it.
pub fn build(test_program: &Path) -> anyhow::Result<()> {
    build::test_programs(&[])?;
    let programs = root().join("target").join(TARGET).join("debug");
    let tree = root().join("target/vm/root");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    for directory in ["dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(tree.join(directory))?;
    }
    let files = [
        (programs.join("init"), "init"),
        (programs.join("peer"), "peer"),
        (test_program.to_path_buf(), "kernel-tests"),
        (build::binary(), "conntracer"),
    ];
    let mut names = vec![".", "dev", "proc", "sys", "tmp"];
    for (from, to) in &files {
        fs::copy(from, tree.join(to)).with_context(|| format!("cannot copy {}", from.display()))?;
        names.push(to);
    }
    archive(&tree, &names, &path())
}

/// What a machine is given: the same for all kernels, and behind it the modules of this one.
pub fn of_kernel(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    let whole = path().with_extension(kernel.name);
    let parts = [fs::read(path())?, fs::read(&kernel.modules)?];
    fs::write(&whole, parts.concat())?;
    Ok(whole)
}

/// Packs the tree in the format of the kernel (`newc`), uncompressed: the emulated machine would
/// have to unpack it.
pub fn archive(tree: &Path, names: &[&str], into: &Path) -> anyhow::Result<()> {
    let mut cpio = command("cpio")
        .args(["--create", "--quiet", "--format=newc", "--owner=0:0"])
        .current_dir(tree)
        .stdin(Stdio::piped())
        .stdout(fs::File::create(into)?)
        .spawn()
        .context("cannot run cpio")?;
    let mut list = cpio.stdin.take().context("cpio does not listen")?;
    list.write_all(names.join("\n").as_bytes())?;
    drop(list);
    ensure!(cpio.wait()?.success(), "cpio failed");
    Ok(())
}
