//! Posting, and what the server said.

use std::{
    fmt,
    io::{self, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use tracer_core::text::printable;
use tracing::warn;
use ureq::{
    Agent, Body, SendBody,
    http::{HeaderValue, Response, Uri},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{body::Posting, journal::State, password};
use crate::cli::{Api, ServerArgs, UsageError};

/// How long a batch may take, from the name of the server to the end of its answer.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long it may take until there is a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 64 << 10;
/// Letters of it that are shown.
const SHOWN_MAX: usize = 300;

/// Where batches are posted; empty if that is not said.
///
/// # Errors
/// If it is no place for them.
pub fn endpoint(args: &ServerArgs) -> Result<String, UsageError> {
    let Some(url) = &args.url else {
        return Ok(String::new());
    };
    let wrong = |why: &str| UsageError(format!("--url: {why}"));
    let uri: Uri = url.parse().map_err(|_| wrong("this is no URL"))?;
    let authority = uri
        .authority()
        .ok_or_else(|| wrong("this names no server"))?;
    if authority.as_str().contains('@') {
        return Err(wrong(
            "the account is --user, its password is in a file or the environment",
        ));
    }
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if args.insecure => {}
        Some("http") => {
            return Err(wrong(
                "without TLS everybody on the way reads the password; --insecure does it",
            ));
        }
        _ => return Err(wrong("it begins with https://")),
    }
    if uri.query().is_some() {
        return Err(wrong("it is what comes before /api, and has no `?`"));
    }
    let path = match args.nemesis_api {
        Api::One => "api/data",
        Api::Two => "api/files",
    };
    Ok(format!("{}/{path}", url.trim_end_matches('/')))
}

/// Posts batches, each by a connection of its own.
pub struct Client {
    agent: Agent,
    endpoint: String,
    authorization: HeaderValue,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Answer {
    /// The server has it.
    Taken {
        /// Status of the answer.
        status: u16,
        /// What the server calls it.
        object: String,
    },
    /// The server said no.
    Refused {
        /// Status of the answer.
        status: u16,
        /// Why.
        why: String,
    },
    /// The server got nothing of it.
    NotSent(String),
    /// Nobody knows.
    Unknown {
        /// Why.
        why: String,
        /// The server is busy, or broken: it is left alone.
        is_for_all: bool,
    },
}

impl Answer {
    /// What is known of its rows now; `None`: no more than before.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Taken { .. } => Some(State::Confirmed),
            Self::Refused { .. } | Self::NotSent(_) => Some(State::Refused),
            Self::Unknown { .. } => None,
        }
    }

    /// Every other batch would end so, too. A batch that is refused for what is in it says nothing of the others.
    pub fn is_for_all(&self) -> bool {
        match self {
            Self::Taken { .. } => false,
            Self::Unknown { is_for_all, .. } => *is_for_all,
            Self::Refused { status, .. } => !matches!(status, 400 | 413 | 422),
            Self::NotSent(_) => true,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { status, object } => write!(f, "HTTP {status}, object {object}"),
            Self::Refused { status, why } => {
                let means = match status {
                    401 | 403 => ": the server does not know this account and password",
                    404 => ": there is no such API at this URL",
                    300..=399 => ": it is somewhere else, and redirections are not followed",
                    _ => ": refused",
                };
                write!(f, "HTTP {status}{means}: {why}")
            }
            Self::NotSent(why) => write!(f, "not sent: {why}"),
            Self::Unknown { why, .. } => write!(
                f,
                "nobody knows whether it was taken, and it is not posted again: {why}"
            ),
        }
    }
}

impl Client {
    /// For a server.
    ///
    /// # Errors
    /// If the password or the certificates cannot be read.
    pub fn new(args: &ServerArgs, endpoint: &str) -> anyhow::Result<Self> {
        let user = args.account.as_deref().unwrap_or_default();
        if user.contains(':') {
            return Err(UsageError("--user: no name of an account has a `:`".to_owned()).into());
        }
        let password = password::password(args)?;
        let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut authorization = HeaderValue::from_str(&format!("Basic {both}"))?;
        authorization.set_sensitive(true);
        if args.insecure {
            warn!(
                "--insecure: whoever answers at {endpoint} is believed, and gets the password and the data"
            );
        }
        let config = Agent::config_builder()
            .tls_config(tls(args)?)
            // Neither a proxy of the environment nor a redirection gets the data.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            // A connection that was kept may be gone, and nobody would know what came of the batch.
            .max_idle_connections(0)
            .user_agent(concat!("conntracer/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.new_agent(),
            endpoint: endpoint.to_owned(),
            authorization,
        })
    }

    /// Posts a batch once.
    pub fn post(&self, posting: Posting) -> Answer {
        let has_begun = Arc::new(AtomicBool::new(false));
        let len = posting.bytes.len();
        let mut body = Watched {
            bytes: Cursor::new(posting.bytes),
            has_begun: Arc::clone(&has_begun),
        };
        let result = self
            .agent
            .post(&self.endpoint)
            .header("authorization", self.authorization.clone())
            .header("content-type", posting.content_type)
            .header("content-length", len)
            .send(SendBody::from_reader(&mut body));
        match result {
            Ok(answer) => answered(answer),
            Err(error) if has_begun.load(Ordering::Relaxed) => Answer::Unknown {
                is_for_all: matches!(error, ureq::Error::Timeout(_)),
                why: shown(&error.to_string()),
            },
            Err(error) => Answer::NotSent(shown(&error.to_string())),
        }
    }
}

/// Tells whether any of it was sent.
struct Watched {
    bytes: Cursor<Vec<u8>>,
    has_begun: Arc<AtomicBool>,
}

impl Read for Watched {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.has_begun.store(true, Ordering::Relaxed);
        self.bytes.read(to)
    }
}

/// What every version says when it has taken something.
#[derive(Deserialize)]
struct Took {
    object_id: String,
}

/// What it says when it has not.
#[derive(Deserialize)]
struct Detail {
    detail: String,
}

fn answered(mut answer: Response<Body>) -> Answer {
    let status = answer.status().as_u16();
    let body = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_MAX)
        .read_to_vec();
    let body = match body {
        Ok(body) => body,
        Err(error) if status < 300 => {
            return unknown(format!(
                "HTTP {status}, and then {}",
                shown(&error.to_string())
            ));
        }
        Err(_) => Vec::new(),
    };
    let text = String::from_utf8_lossy(&body);
    match status {
        200..300 => match serde_json::from_slice::<Took>(&body) {
            Ok(took) => Answer::Taken {
                status,
                object: shown(&took.object_id),
            },
            Err(_) => unknown(format!(
                "HTTP {status} without an object_id: {}",
                shown(&text)
            )),
        },
        300..500 => {
            let detail = serde_json::from_slice::<Detail>(&body);
            let why = detail.map_or_else(|_| shown(&text), |detail| shown(&detail.detail));
            Answer::Refused { status, why }
        }
        // It may have failed after it had taken it.
        _ => unknown(format!("HTTP {status}: {}", shown(&text))),
    }
}

/// The answer of a server that does not do what it should.
fn unknown(why: String) -> Answer {
    Answer::Unknown {
        why,
        is_for_all: true,
    }
}

/// What a server says may be anything.
fn shown(text: &str) -> String {
    let short: String = text.trim().chars().take(SHOWN_MAX).collect();
    printable(&short)
}

/// Whom to believe. The certificates of the machine itself are not asked: it is the one under investigation.
fn tls(args: &ServerArgs) -> anyhow::Result<TlsConfig> {
    let builder = TlsConfig::builder().disable_verification(args.insecure);
    let Some(path) = &args.ca else {
        return Ok(builder.root_certs(RootCerts::WebPki).build());
    };
    let named = || format!("cannot read the certificates in {}", path.display());
    let pem = std::fs::read(path).with_context(named)?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.with_context(named)? {
            certificates.push(certificate);
        }
    }
    anyhow::ensure!(
        !certificates.is_empty(),
        "there are no certificates in {}",
        path.display()
    );
    Ok(builder
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}
