//! A browser without a window, in which reports are looked at.
//!
//! It is driven over the protocol of its developer tools, through two pipes, which takes no port and no crate: the ones for it bring
//! fifty others along and compile the whole protocol, of which eight commands are needed here.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
};

use serde_json::{Value, json};

use crate::{DEADLINE, scratch::Scratch};

/// What Debian calls the browser.
const PROGRAM: &str = "chromium";

/// What it takes to be alone: nothing of the user's, and nothing asked of anybody. It has no sandbox, for that cannot
/// be had by root.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--force-color-profile=srgb",
];

/// The browser reads commands from descriptor 3 and writes to 4.
const PIPES: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;

/// What ends a message.
const END: u8 = 0;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// What the page is called in messages.
    session: String,
    count: u64,
    /// What it told of by itself.
    events: Vec<Value>,
    _profile: Scratch,
}

impl Browser {
    /// One with an empty page.
    ///
    /// # Panics
    /// If there is none on this machine, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there =
            std::env::split_paths(&path).any(|directory| directory.join(PROGRAM).exists());
        assert!(
            is_there,
            "{PROGRAM} is missing, in which reports are looked at; `cargo xtask test` installs it"
        );
        let profile = Scratch::new();
        let mut child = Command::new("sh")
            .args(["-c", PIPES, "sh", PROGRAM])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {PROGRAM}: {error}"));
        let (Some(commands), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("it has pipes");
        };
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let messages = BufReader::new(output).split(END).map_while(Result::ok);
            for message in messages.filter_map(|text| serde_json::from_slice(&text).ok()) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            session: String::new(),
            count: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", &attach);
        let session = session["sessionId"].as_str().unwrap_or_default();
        session.clone_into(&mut self.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Opens a file, and waits until all of it is there.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn open(&mut self, path: &Path) {
        self.events.clear();
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", &json!({"url": url}));
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// What an expression of JavaScript comes to.
    ///
    /// # Panics
    /// If it comes to nothing.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].take()
    }

    /// How wide and high its screen is, and whether it is `light` or `dark`.
    pub fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// The addresses of what was asked for since the file was opened.
    #[must_use]
    pub fn requests(&self) -> Vec<&str> {
        let asked = self.of("Network.requestWillBeSent");
        asked
            .filter_map(|event| event["params"]["request"]["url"].as_str())
            .collect()
    }

    /// What it has to say since the file was opened: on the console, of errors, of what the page's policy forbids,
    /// and in dialogs.
    #[must_use]
    pub fn said(&self) -> Vec<&Value> {
        let kinds = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        ];
        kinds.iter().flat_map(|kind| self.of(kind)).collect()
    }

    fn of(&self, method: &str) -> impl Iterator<Item = &Value> {
        self.events
            .iter()
            .filter(move |event| event["method"] == method)
    }

    /// Has it do something; what comes of it.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.count += 1;
        let id = self.count;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        let mut text = command.to_string().into_bytes();
        text.push(END);
        self.commands
            .write_all(&text)
            .unwrap_or_else(|error| panic!("{PROGRAM} takes no commands: {error}"));
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn receive(&self) -> Value {
        self.messages
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|error| panic!("{PROGRAM} says nothing: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
