//! A client that asks once, and says no more than it must.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::DEADLINE;

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, as they were sent.
    pub headers: String,
    /// What follows them.
    pub body: String,
}

/// Asks a server at an address for a path, and reads until it closes the connection.
///
/// # Panics
/// If that is no answer of HTTP.
pub fn ask(address: &str, method: &str, path: &str) -> Answer {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().unwrap_or_else(|error| panic!("{method} {path} of {address}: {error}"));
    parse(&answer).unwrap_or_else(|| panic!("{method} {path}: no answer of HTTP: {answer:?}"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let (status, headers) = head.split_once("\r\n")?;
    let status = status.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    Some(Answer {
        status: status.parse().ok()?,
        headers: headers.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}
