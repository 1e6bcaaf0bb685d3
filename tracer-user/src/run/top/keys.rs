//! Keys, from what a terminal sends.
//!
//! Not crossterm's reader: that never returns once the terminal is gone.

use std::{io::Stdin, os::fd::AsFd as _, time::Duration};

use anyhow::{Context as _, bail};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::read,
};
use tracer_core::top::Key;

/// Where keys come from.
pub struct Keyboard {
    terminal: Stdin,
    /// The beginning of a character whose other bytes have not come.
    begun: Vec<u8>,
}

impl Keyboard {
    /// The one of the terminal that stdin is.
    pub fn new() -> Self {
        Self {
            terminal: std::io::stdin(),
            begun: Vec::new(),
        }
    }

    /// The keys that were pressed; waits for the first as long as `timeout` says.
    pub fn keys(&mut self, timeout: Duration) -> anyhow::Result<Vec<Key>> {
        let mut terminal = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut terminal, timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(error) => return Err(error).context("cannot wait for keys"),
        }
        let mut bytes = [0; 1024];
        let count = read(&self.terminal, &mut bytes).unwrap_or_default();
        if count == 0 {
            bail!("the terminal is gone");
        }
        self.begun
            .extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(decode(&mut self.begun))
    }
}

/// Takes the keys out of bytes, all but the beginning of a character.
fn decode(bytes: &mut Vec<u8>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(used) = next(rest, &mut keys) {
        rest = rest.get(used..).unwrap_or_default();
    }
    *bytes = rest.to_vec();
    keys
}

/// Takes what comes next, whether that is a key that means something or not. How many bytes it was.
fn next(bytes: &[u8], keys: &mut Vec<Key>) -> Option<usize> {
    let (key, used) = match bytes {
        [] => return None,
        [0x1b, b'[' | b'O', sequence @ ..] if !sequence.is_empty() => {
            let end = sequence
                .iter()
                .position(|byte| (0x40..=0x7e).contains(byte));
            let len = end.map_or(sequence.len(), |end| end + 1);
            (of_sequence(&sequence[..len]), len + 2)
        }
        [0x1b, ..] => (Some(Key::Esc), 1),
        [b'\r' | b'\n', ..] => (Some(Key::Enter), 1),
        [b'\t', ..] => (Some(Key::Tab), 1),
        [0x7f | 0x08, ..] => (Some(Key::Backspace), 1),
        [control @ 1..=26, ..] => (Some(Key::Ctrl(char::from(control + b'a' - 1))), 1),
        [0..=31, ..] => (None, 1),
        text => return character(text, keys),
    };
    keys.extend(key);
    Some(used)
}

/// The key of what follows the beginning of an escape sequence.
fn of_sequence(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        b"A" => Key::Up,
        b"B" => Key::Down,
        b"C" => Key::Right,
        b"D" => Key::Left,
        b"H" | b"1~" | b"7~" => Key::Home,
        b"F" | b"4~" | b"8~" => Key::End,
        b"5~" => Key::PageUp,
        b"6~" => Key::PageDown,
        b"M" => Key::Enter,
        _ => return None,
    })
}

/// A character in UTF-8; `None`: not all of it is there.
fn character(bytes: &[u8], keys: &mut Vec<Key>) -> Option<usize> {
    let chunk = bytes.utf8_chunks().next()?;
    if let Some(c) = chunk.valid().chars().next() {
        keys.push(Key::Char(c));
        return Some(c.len_utf8());
    }
    // What is wrong is passed over, what is not complete is waited for.
    let is_complete = std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_some());
    is_complete.then_some(chunk.invalid().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> (Vec<Key>, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        let keys = decode(&mut bytes);
        (keys, bytes)
    }

    #[test]
    fn keys_are_told_apart() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[F", Key::End),
            (b"\x1b", Key::Esc),
            (b"\r", Key::Enter),
            (b"\t", Key::Tab),
            (b"\x03", Key::Ctrl('c')),
            (b"\x0c", Key::Ctrl('l')),
            (b"\x7f", Key::Backspace),
            ("ß".as_bytes(), Key::Char('ß')),
        ] {
            assert_eq!(keys(bytes), (vec![key], vec![]));
        }
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        assert_eq!(keys(b"\x1b[1;5Aq").0, [Key::Char('q')]);
        assert_eq!(keys(b"\xffq\x00/").0, [Key::Char('q'), Key::Char('/')]);
        assert_eq!(keys(b"\x1b\x1b[B").0, [Key::Esc, Key::Down]);
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let (none, mut begun) = keys(&"日".as_bytes()[..2]);
        assert_eq!(none, []);
        begun.push("日".as_bytes()[2]);
        assert_eq!(decode(&mut begun), [Key::Char('日')]);
    }
}
