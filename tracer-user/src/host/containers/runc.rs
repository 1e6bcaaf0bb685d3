//! runc, where no engine is known: its state names the bundle.

use serde::Deserialize;
use tracer_core::fact::Container;

use super::{Wanted, files::Files, oci::Annotations};

/// `state.json`.
#[derive(Deserialize)]
struct State {
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    /// `key=value`, with the bundle among them.
    labels: Option<Vec<String>>,
}

/// Finds a container in the state of runc. It has no name but its id.
pub fn find(files: &mut Files, wanted: &Wanted) -> Option<Container> {
    let state: State = files.json(&format!("run/runc/{}/state.json", wanted.id))?;
    let labels = state.config.labels.unwrap_or_default();
    let bundle = labels.iter().find_map(|one| one.strip_prefix("bundle="))?;
    let annotations = Annotations::of_bundle(files, bundle)?;
    Some(Container {
        id: wanted.id.clone(),
        runtime: Some("runc".to_owned()),
        image: annotations.image(),
        ..Container::default()
    })
}
