//! Keeping a table up to date in its place on the terminal.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use crate::cli::{OutputArgs, OutputFormat, UsageError};

/// How often it is drawn, and counters are read.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// To the top left.
const HOME: &[u8] = b"\x1b[H";
/// Everything behind the cursor goes.
const CLEAR: &[u8] = b"\x1b[J";
/// The rest of the line goes.
const CLEAR_LINE: &[u8] = b"\x1b[K";
/// What is too long does not go on in the next line.
const NO_WRAP: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";

/// When it is drawn.
#[derive(Debug, Default)]
pub struct Screen {
    /// When it was drawn last; `None`: not all that was there before is known yet.
    drawn: Option<Instant>,
    is_due: bool,
}

impl Screen {
    /// The terminal that output goes to.
    pub fn of(args: &OutputArgs) -> Result<Self, UsageError> {
        let is_table = matches!(args.output, OutputFormat::Table | OutputFormat::Wide);
        if is_table && std::io::stdout().is_terminal() {
            return Ok(Self::default());
        }
        let why = "--watch keeps a table up to date on a terminal; elsewhere, --duration shows all at its end";
        Err(UsageError(why.to_owned()))
    }

    /// From now on there is something to draw.
    pub fn begin(&mut self) {
        self.drawn = Some(Instant::now());
        self.is_due = true;
    }

    /// Whether to draw now.
    pub fn is_due(&mut self) -> bool {
        let Some(drawn) = &mut self.drawn else {
            return false;
        };
        let is_due = self.is_due || drawn.elapsed() >= INTERVAL;
        if is_due {
            *drawn = Instant::now();
            self.is_due = false;
        }
        is_due
    }

    /// What makes room for all of it at the end.
    pub fn end(&self) -> &'static [u8] {
        if self.drawn.is_some() {
            b"\x1b[H\x1b[J"
        } else {
            b""
        }
    }
}

/// What draws so many lines of a text in the place of what was there. It is written at once, and leaves
/// the terminal as it was.
pub fn frame(text: &[u8], height: usize) -> Vec<u8> {
    let room = height.saturating_sub(1);
    let mut frame = [NO_WRAP, HOME].concat();
    // A text ends with a line end, not with a line.
    let lines = text
        .strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|byte| *byte == b'\n');
    for line in lines.take(room) {
        frame.extend_from_slice(line);
        frame.extend_from_slice(CLEAR_LINE);
        frame.push(b'\n');
    }
    frame.extend_from_slice(CLEAR);
    frame.extend_from_slice(WRAP);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_and_leaves_the_terminal_as_it_was() {
        let frame = frame(b"one\ntwo\nthree\n", 3);
        let expected = "\x1b[?7l\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?7h";
        assert_eq!(String::from_utf8(frame).unwrap(), expected);
    }
}
