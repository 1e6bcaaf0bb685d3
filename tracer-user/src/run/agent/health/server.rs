//! The server: plain HTTP/1.1, one request a connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{SocketAddr, TcpListener as Bound},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{Health, metrics};
use crate::run::NOTES;

/// What a connection has for its request and the answer. Whoever holds it open for longer is left.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many connections at most: the oldest gives way.
const CONNECTIONS_MAX: usize = 64;
/// So large are what is read and what is written at once, in bytes.
const BUFFER_MAX: usize = 16 << 10;
/// After this it is tried again to take connections, where that fails: files may have run out.
const AGAIN: Duration = Duration::from_secs(1);
const TEXT: &str = "text/plain; charset=utf-8";

/// Where it is served, before anybody is answered.
pub struct Server {
    listener: Bound,
    address: SocketAddr,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// If that address cannot be listened on.
    pub fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let bind = || {
            let listener = Bound::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok::<_, std::io::Error>(Self { listener, address })
        };
        bind().with_context(|| format!("--health: cannot listen on {address}"))
    }

    /// Answers from here on, by a thread that stays until the process ends.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(self, health: Health) -> anyhow::Result<()> {
        let why = "cannot serve health";
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .context(why)?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(self.listener).context(why)?
        };
        std::thread::Builder::new()
            .name("health".to_owned())
            .spawn(move || runtime.block_on(serve(&listener, Arc::new(health))))
            .context("cannot start a thread")?;
        info!(
            target: NOTES,
            "health is served at http://{}/healthz",
            self.address
        );
        Ok(())
    }
}

/// Takes connections.
async fn serve(listener: &TcpListener, health: Arc<Health>) -> Infallible {
    let mut open: VecDeque<JoinHandle<()>> = VecDeque::with_capacity(CONNECTIONS_MAX);
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                is_failing = false;
                open.retain(|connection| !connection.is_finished());
                if open.len() >= CONNECTIONS_MAX
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                open.push_back(tokio::spawn(converse(stream, health.clone())));
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    warn!("health cannot be served: {error}; it is tried again");
                }
                sleep(AGAIN).await;
            }
        }
    }
}

/// Answers one request.
async fn converse(stream: TcpStream, health: Arc<Health>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &health);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        // All of the connection has its time.
        .header_read_timeout(None)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // Who went away, took too long or spoke something else has no answer, and misses it itself.
    let _ = timeout(PATIENCE, connection).await;
}

/// What is answered.
fn answer(method: &Method, path: &str, health: &Health) -> Response<String> {
    let page: fn(&Health) -> Response<String> = match path {
        "/healthz" => |health| verdict(&health.standstill()),
        "/readyz" => |health| verdict(&health.unmet()),
        "/metrics" => numbers,
        _ => return text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    page(health)
}

/// Good, unless something is to be said.
fn verdict(objections: &[String]) -> Response<String> {
    if objections.is_empty() {
        text(StatusCode::OK, "ok\n".to_owned())
    } else {
        let body = objections.join("\n") + "\n";
        text(StatusCode::SERVICE_UNAVAILABLE, body)
    }
}

fn numbers(health: &Health) -> Response<String> {
    match health.metrics() {
        Ok(page) => typed(StatusCode::OK, metrics::CONTENT_TYPE, page),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the metrics cannot be written: {error}\n"),
        ),
    }
}

fn text(status: StatusCode, body: String) -> Response<String> {
    typed(status, TEXT, body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
