//! What the manifests for Kubernetes are tested with: kustomize, and what knows the schemas of Kubernetes. Neither is
//! installed: they are below `target`, and a second run finds them there.

use std::{fs, path::PathBuf};

use crate::{
    command::{command, root, run},
    suite::{Archive, Suite},
};

/// The suite that kustomize comes from: the one before has none.
const SUITE: &str = "trixie";
/// The packages of Python, each with its version and hashes.
const REQUIREMENTS: &str = "xtask/requirements.txt";

/// Where they are.
pub struct Tools {
    /// The program kustomize.
    pub kustomize: PathBuf,
    /// The virtual environment of Python with `kubernetes-validate`.
    pub venv: PathBuf,
}

/// Fetches those that are not here.
pub fn prepare() -> anyhow::Result<Tools> {
    Ok(Tools {
        kustomize: kustomize()?,
        venv: venv()?,
    })
}

fn directory() -> PathBuf {
    root().join("target/kubernetes")
}

fn kustomize() -> anyhow::Result<PathBuf> {
    let program = directory().join("kustomize");
    if program.is_file() {
        return Ok(program);
    }
    let unpacked = directory().join("unpacked");
    Suite::open(SUITE, Archive::Main)?.unpack("kustomize", &unpacked)?;
    fs::rename(unpacked.join("usr/bin/kustomize"), &program)?;
    fs::remove_dir_all(unpacked)?;
    Ok(program)
}

fn venv() -> anyhow::Result<PathBuf> {
    let wanted = fs::read(root().join(REQUIREMENTS))?;
    let venv = directory().join("venv");
    // Written last: what was cut short, or is of other versions, is made anew.
    let installed = venv.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(venv);
    }
    println!(
        "setup: installing kubernetes-validate below {}",
        venv.display()
    );
    run(command("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    run(command(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--only-binary=:all:", "--requirement"])
        .arg(REQUIREMENTS))?;
    fs::write(installed, wanted)?;
    Ok(venv)
}
