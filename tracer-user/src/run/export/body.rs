//! What is sent of a message.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracer_core::{
    format::nemesis::message::{Message, Profile},
    text::hex,
};

use crate::cli::Api;

/// The body of a request.
pub struct Posting {
    /// Its type.
    pub content_type: String,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Posting {
    /// 1.x takes the message; 2.x a file, and what it is.
    pub fn new(message: &Message, profile: &Profile, api: Api) -> Self {
        let mut bytes = Vec::new();
        tracer_core::format::nemesis::write(message, profile, &mut bytes);
        match api {
            Api::One => Self {
                content_type: "application/json".to_owned(),
                bytes,
            },
            Api::Two => upload(message, profile, &bytes),
        }
    }
}

/// A form of two parts (RFC 7578): the file, and its metadata.
fn upload(message: &Message, profile: &Profile, file: &[u8]) -> Posting {
    let digest = hex(&Sha256::digest(file));
    let digest = digest.get(..32).unwrap_or_default();
    let name = format!("conntracer-{digest}.json");
    let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let metadata = json!({
        "agent_id": message.agent.id,
        "source": format!("host://{}", message.agent.source),
        "project": profile.project,
        "timestamp": time(message.time),
        "expiration": time(profile.expiration.of(message.time)),
        "path": format!("/conntracer/{name}"),
    });
    // The name of a hash of all that is between them stands nowhere in it.
    let boundary = format!("conntracer-{digest}");
    let mut bytes = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/json\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(file);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Posting {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        bytes,
    }
}
