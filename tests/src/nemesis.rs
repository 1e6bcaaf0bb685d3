//! A server as strict as that of Nemesis 1.x about what is posted to it (protobuf's JSON, and the form that its oldest
//! version wants of times), and one that takes files, as 2.x does.

pub mod accepts;
mod request;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value;

pub use self::request::Request;

/// `nemesis:secret`, as HTTP has it.
pub const AUTHORIZATION: &str = "Basic bmVtZXNpczpzZWNyZXQ=";

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answers as it should.
    Answer,
    /// Closes the connection when it has read it.
    Hang,
    /// Answers with this status and body, and takes nothing.
    Say(u16, &'static str),
}

/// A server that does something with each request in turn, and with those that follow as it should.
pub struct Server {
    address: SocketAddr,
    /// Its certificate in PEM, if it has one.
    pub certificate: Option<String>,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// One without TLS.
    #[must_use]
    pub fn start(acts: &[Act]) -> Self {
        Self::serve(acts, None)
    }

    /// One with TLS, and a certificate for `localhost` that nobody knows.
    ///
    /// # Panics
    /// If there can be no certificate.
    #[must_use]
    pub fn start_tls(acts: &[Act]) -> Self {
        let made = || -> anyhow::Result<(ServerConfig, String)> {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
            let config = ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)?;
            Ok((config, cert.pem()))
        };
        let (config, pem) = made().unwrap_or_else(|error| panic!("no certificate: {error:#}"));
        Self::serve(acts, Some((config, pem)))
    }

    fn serve(acts: &[Act], tls: Option<(ServerConfig, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("{error}"));
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (config, certificate) = tls.unzip();
        let server = Self {
            address,
            certificate,
            seen: Arc::clone(&seen),
        };
        let config = config.map(Arc::new);
        let acts = acts.to_vec();
        let mut acts = acts.into_iter();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let act = |request: &Request| {
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(request.clone());
                    acts.next().unwrap_or(Act::Answer)
                };
                // Who hangs up, has seen what it came for.
                let _ = exchange(stream, config.clone(), act);
            }
        });
        server
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The requests that came whole.
    pub fn seen(&self) -> MutexGuard<'_, Vec<Request>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of all requests that came.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        let seen = self.seen();
        let rows = seen
            .iter()
            .filter_map(|request| request.message()["data"].as_array().cloned());
        rows.flatten().collect()
    }
}

fn exchange(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    act: impl FnMut(&Request) -> Act,
) -> anyhow::Result<()> {
    match config {
        Some(config) => answer(
            StreamOwned::new(ServerConnection::new(config)?, stream),
            act,
        ),
        None => answer(stream, act),
    }
}

fn answer(
    mut stream: impl Read + Write,
    mut act: impl FnMut(&Request) -> Act,
) -> anyhow::Result<()> {
    let request = Request::read(&mut stream)?;
    let (status, body) = match act(&request) {
        Act::Hang => return Ok(()),
        Act::Say(status, body) => (status, body.to_owned()),
        Act::Answer => accepts::answer(&request),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} As It Is\r\nContent-Length: {length}\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()?;
    Ok(())
}
