//! Bundles of the Open Container Initiative: `config.json`, whose annotations engines fill.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::files::{Files, name};

/// `config.json`, of the OCI runtime specification.
#[derive(Deserialize)]
struct Config {
    annotations: Option<Annotations>,
}

/// What engines and users say of a container, by keys.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub struct Annotations(BTreeMap<String, String>);

impl Annotations {
    /// Those of the bundle in a directory.
    pub fn of_bundle(files: &mut Files, directory: &str) -> Option<Self> {
        let config: Config = files.json(&format!("{directory}/config.json"))?;
        Some(config.annotations.unwrap_or_default())
    }

    /// A value, if it can be a name.
    pub fn name(&self, key: &str) -> Option<String> {
        name(self.0.get(key)?)
    }

    /// Whether a key has a value.
    pub fn says(&self, key: &str, value: &str) -> bool {
        self.0.get(key).is_some_and(|said| said == value)
    }

    /// The image, as tools that make a bundle of one write it.
    pub fn image(&self) -> Option<String> {
        self.name("org.opencontainers.image.ref.name")
    }
}
