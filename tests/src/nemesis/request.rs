//! A request, as it came.

use std::io::Read;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path.
    pub line: String,
    headers: Vec<(String, String)>,
    /// What was posted.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads a whole one.
    ///
    /// # Errors
    /// If it is not whole, or says not how long it is.
    pub fn read(stream: &mut impl Read) -> anyhow::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            ensure!(stream.read(&mut byte)? == 1, "cut off");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head)?;
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default();
        let line = line
            .strip_suffix(" HTTP/1.1")
            .context("of HTTP/1.1")?
            .to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self {
            line,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .context("no length")?
            .parse()?;
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
        Ok(request)
    }

    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The parts of a form: name, name of the file, content.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, Option<String>, String)> {
        let kind = self.header("content-type").unwrap_or_default();
        let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else {
            return Vec::new();
        };
        let body = String::from_utf8_lossy(&self.body);
        let Some(body) = body.strip_suffix(&format!("\r\n--{boundary}--\r\n")) else {
            return Vec::new();
        };
        // The delimiter begins with the line end of what is before it.
        let body = format!("\r\n{body}");
        body.split(&format!("\r\n--{boundary}\r\n"))
            .skip(1)
            .filter_map(|part| {
                let (head, content) = part.split_once("\r\n\r\n")?;
                let value = |key: &str| {
                    let (_, rest) = head.split_once(&format!("; {key}=\""))?;
                    Some(rest.split_once('"')?.0.to_owned())
                };
                Some((value("name")?, value("filename"), content.to_owned()))
            })
            .collect()
    }

    /// The message in it, or in its file; `null`: there is none.
    #[must_use]
    pub fn message(&self) -> Value {
        let file = self.parts().into_iter().find(|(name, ..)| name == "file");
        let text = file.map(|(.., content)| content.into_bytes());
        serde_json::from_slice(&text.unwrap_or_else(|| self.body.clone())).unwrap_or_default()
    }
}
