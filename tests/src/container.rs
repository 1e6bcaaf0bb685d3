//! Real containers: a root with nothing but a program in it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{netns::Netns, peer, scratch::Scratch};

/// A bundle for `runc`, and where it keeps its state. Removed when it is dropped.
#[derive(Debug)]
pub struct Container {
    scratch: Scratch,
    cgroup: String,
}

impl Container {
    /// One that will run the peer with these words, in a network namespace and a cgroup.
    ///
    /// # Panics
    /// If the bundle cannot be made.
    #[must_use]
    pub fn new(netns: &Netns, cgroup: &str, words: &[&str]) -> Self {
        Self::of(netns, cgroup, &peer(), words)
    }

    /// One that will run a static program with these words.
    ///
    /// # Panics
    /// If the bundle cannot be made.
    #[must_use]
    pub fn of(netns: &Netns, cgroup: &str, program: &Path, words: &[&str]) -> Self {
        let container = Self {
            scratch: Scratch::new(),
            cgroup: cgroup.to_owned(),
        };
        container
            .prepare(netns, program, words)
            .unwrap_or_else(|error| panic!("cannot make a container: {error:#}"));
        container
    }

    fn prepare(&self, netns: &Netns, program: &Path, words: &[&str]) -> anyhow::Result<()> {
        let root = self.root();
        std::fs::create_dir_all(&root)?;
        let name = program.file_name().context("a program has a name")?;
        std::fs::copy(program, root.join(name))?;
        let mut spec = self.runc(&["spec", "--bundle", &self.scratch.path().to_string_lossy()]);
        anyhow::ensure!(spec.status()?.success(), "runc writes no configuration");
        let program = format!("/{}", name.to_string_lossy());
        let args: Vec<&str> = std::iter::once(program.as_str())
            .chain(words.iter().copied())
            .collect();
        self.change(|config| {
            let process = &mut config["process"];
            process["args"] = json!(args);
            process["terminal"] = json!(false);
            // Not every machine lets them be raised.
            process
                .as_object_mut()
                .map(|process| process.remove("rlimits"));
            config["linux"]["cgroupsPath"] = json!(self.cgroup);
            let namespaces = config["linux"]["namespaces"].as_array_mut();
            for namespace in namespaces.into_iter().flatten() {
                if namespace["type"] == "network" {
                    namespace["path"] = json!(netns.path());
                }
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        let path = self.scratch.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        change(&mut config);
        std::fs::write(path, serde_json::to_vec(&config)?)?;
        Ok(())
    }

    /// With something else in its configuration.
    ///
    /// # Panics
    /// If the bundle cannot be written.
    #[must_use]
    pub fn configured(self, change: impl FnOnce(&mut Value)) -> Self {
        self.change(change)
            .unwrap_or_else(|error| panic!("cannot configure a container: {error:#}"));
        self
    }

    /// With annotations, as an engine makes them.
    ///
    /// # Panics
    /// If the bundle cannot be written.
    #[must_use]
    pub fn annotated(self, annotations: &Value) -> Self {
        self.configured(|config| config["annotations"] = annotations.clone())
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("rootfs")
    }

    /// Its bundle.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        self.scratch.path()
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self) {
        let output = self
            .command()
            .output()
            .unwrap_or_else(|error| panic!("cannot run runc: {error}"));
        assert!(
            output.status.success(),
            "runc: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The command that runs it, and ends with it.
    #[must_use]
    pub fn command(&self) -> Command {
        let bundle = self.scratch.path().to_string_lossy().into_owned();
        self.runc(&["run", "--bundle", &bundle, &self.name()])
    }

    /// Asks it to end.
    ///
    /// # Panics
    /// If it is not there.
    pub fn terminate(&self) {
        let status = self.runc(&["kill", &self.name(), "TERM"]).status();
        assert!(status.is_ok_and(|status| status.success()), "runc kill");
    }

    /// What runc calls it, which takes fewer characters than a cgroup.
    fn name(&self) -> String {
        let last = self.cgroup.rsplit('/').next().unwrap_or_default();
        last.replace([':', '\\'], "-")
    }

    fn runc(&self, words: &[&str]) -> Command {
        let mut runc = Command::new("runc");
        runc.arg("--root")
            .arg(self.scratch.path().join("state"))
            .args(words);
        runc
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // What a test that failed has left.
        let _ = self.runc(&["delete", "--force", &self.name()]).output();
        remove_cgroups(&self.cgroup);
    }
}

/// runc removes the cgroup of a container, not those above it.
fn remove_cgroups(path: &str) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let is_cgroup =
        |fields: &Vec<&str>| fields.get(2).is_some_and(|kind| kind.starts_with("cgroup"));
    let roots = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(is_cgroup);
    for root in roots.filter_map(|fields| fields.get(1).copied()) {
        let above = Path::new(path).ancestors();
        for directory in above.take_while(|path| *path != Path::new("/")) {
            let relative = directory.strip_prefix("/").unwrap_or(directory);
            // Fails where others still use it.
            let _ = std::fs::remove_dir(Path::new(root).join(relative));
        }
    }
}
