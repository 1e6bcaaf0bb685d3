//! The manifests for Kubernetes: rendered by kustomize, held against the schemas of Kubernetes, read.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Has Python make JSON of YAML, all documents in one list.
const TO_JSON: &str =
    "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";

/// Where the manifests are.
#[must_use]
pub fn manifests() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .unwrap_or(manifest)
        .join("deploy/kubernetes")
}

/// What kustomize makes of a directory of the manifests, in YAML.
///
/// # Panics
/// If it fails.
#[must_use]
pub fn render(directory: &str) -> String {
    render_path(&manifests().join(directory))
}

/// What kustomize makes of any directory, in YAML.
///
/// # Panics
/// If it fails.
#[must_use]
pub fn render_path(directory: &Path) -> String {
    let mut kustomize = Command::new(tool("KUSTOMIZE"));
    piped(kustomize.arg("build").arg(directory), "")
        .unwrap_or_else(|error| panic!("{} cannot be rendered: {error:#}", directory.display()))
}

/// The objects of YAML.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn objects(yaml: &str) -> Vec<Value> {
    let mut python = Command::new(tool("KUBERNETES_VENV").join("bin/python"));
    let objects =
        piped(python.args(["-c", TO_JSON]), yaml).and_then(|json| Ok(serde_json::from_str(&json)?));
    objects.unwrap_or_else(|error| panic!("cannot be read: {error:#}: {yaml}"))
}

/// Holds each object of YAML against the schema that a version of Kubernetes has of its kind, which knows all fields.
///
/// # Errors
/// What does not fit, and kinds without a schema.
pub fn validate(yaml: &str, version: &str) -> anyhow::Result<()> {
    let program = tool("KUBERNETES_VENV").join("bin/kubernetes-validate");
    let mut command = Command::new(program);
    let said = piped(
        command.args(["--strict", "--kubernetes-version", version, "-"]),
        yaml,
    )?;
    // A kind that it does not know is a warning to it.
    let passed = said.lines().filter(|line| line.contains(" passed for "));
    ensure!(passed.count() == objects(yaml).len(), "{said}");
    ensure!(
        said.lines()
            .all(|line| line.ends_with(&format!(" version {version}"))),
        "of another version: {said}"
    );
    Ok(())
}

/// A program or a directory that the environment names.
fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"));
    path.into()
}

/// What a command makes of its input.
fn piped(command: &mut Command, input: &str) -> anyhow::Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    // All of it is read before anything is written.
    let stdin = child.stdin.take();
    stdin.context("no pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let stdout = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{}: {stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}
