//! Real containers: a root with nothing but the peer in it.

use std::{path::Path, process::Command};

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
        let container = Self {
            scratch: Scratch::new(),
            cgroup: cgroup.to_owned(),
        };
        container
            .prepare(netns, words)
            .unwrap_or_else(|error| panic!("cannot make a container: {error:#}"));
        container
    }

    fn prepare(&self, netns: &Netns, words: &[&str]) -> anyhow::Result<()> {
        let root = self.scratch.path().join("rootfs");
        std::fs::create_dir_all(&root)?;
        std::fs::copy(peer(), root.join("peer"))?;
        let mut spec = self.runc(&["spec", "--bundle", &self.scratch.path().to_string_lossy()]);
        anyhow::ensure!(spec.status()?.success(), "runc writes no configuration");
        let path = self.scratch.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let args: Vec<&str> = std::iter::once("/peer")
            .chain(words.iter().copied())
            .collect();
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
        std::fs::write(path, serde_json::to_vec(&config)?)?;
        Ok(())
    }

    /// With annotations, as an engine makes them.
    ///
    /// # Panics
    /// If the bundle cannot be written.
    #[must_use]
    pub fn annotated(self, annotations: &Value) -> Self {
        let annotate = || -> anyhow::Result<()> {
            let path = self.scratch.path().join("config.json");
            let mut config: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            config["annotations"] = annotations.clone();
            std::fs::write(path, serde_json::to_vec(&config)?)?;
            Ok(())
        };
        annotate().unwrap_or_else(|error| panic!("cannot annotate a container: {error:#}"));
        self
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
        let name = self.cgroup.rsplit('/').next().unwrap_or_default();
        let bundle = self.scratch.path().to_string_lossy().into_owned();
        let output = self
            .runc(&["run", "--bundle", &bundle, name])
            .output()
            .unwrap_or_else(|error| panic!("cannot run runc: {error}"));
        assert!(
            output.status.success(),
            "runc: {}",
            String::from_utf8_lossy(&output.stderr)
        );
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
