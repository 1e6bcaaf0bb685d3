//! Messages in a stream of bytes, as syslog sends them over TCP (RFC 6587): each counted, or each a line.

/// Bytes of a message, at most: what is longer is passed over.
pub const MESSAGE_MAX: usize = 64 << 10;
/// Digits of a count, at most.
const DIGITS_MAX: usize = 5;
/// Bytes of one that is not whole yet: its count, too.
const HELD_MAX: usize = DIGITS_MAX + 1 + MESSAGE_MAX;

/// Puts messages together from the pieces in which a stream comes.
#[derive(Debug, Default)]
pub struct Frames {
    /// What came of a message that is not whole yet.
    held: Vec<u8>,
    /// The rest of a line that is too long is passed over.
    is_too_long: bool,
}

/// A message, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// All of one, without what ends it.
    Message(&'a [u8]),
    /// One that is longer than [`MESSAGE_MAX`].
    TooLong,
}

/// Where the first message ends.
enum Extent {
    /// It is from one place to another, and the next one begins at a third.
    Whole(usize, usize, usize),
    /// More is needed.
    Open,
    /// It counts more than a message may have.
    TooLong(usize),
}

impl Frames {
    /// Takes the next piece, and hands over the messages that are whole with it.
    pub fn take(&mut self, piece: &[u8], mut each: impl FnMut(Frame<'_>)) {
        self.held.extend_from_slice(piece);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        loop {
            match extent(rest) {
                Extent::Whole(from, to, next) => {
                    let message = rest.get(from..to).unwrap_or_default();
                    if !std::mem::take(&mut self.is_too_long) && !message.is_empty() {
                        each(Frame::Message(message));
                    }
                    rest = rest.get(next..).unwrap_or_default();
                }
                Extent::TooLong(from) => {
                    // Where it ends nobody needs to know who looks for the end of a line.
                    each(Frame::TooLong);
                    self.is_too_long = true;
                    rest = rest.get(from..).unwrap_or_default();
                }
                Extent::Open if rest.len() > HELD_MAX => {
                    if !std::mem::replace(&mut self.is_too_long, true) {
                        each(Frame::TooLong);
                    }
                    rest = &[];
                }
                Extent::Open => break,
            }
        }
        self.held = rest.to_vec();
    }

    /// The stream has ended: what came of a message, if it may be a whole line.
    #[must_use]
    pub fn end(self) -> Option<Vec<u8>> {
        let is_line = counted(&self.held).is_none();
        (is_line && !self.is_too_long && !self.held.is_empty()).then_some(self.held)
    }
}

/// Where the first message is.
fn extent(bytes: &[u8]) -> Extent {
    if let Some((from, count)) = counted(bytes) {
        let to = from.saturating_add(count);
        return match count {
            _ if count > MESSAGE_MAX => Extent::TooLong(from),
            _ if to <= bytes.len() => Extent::Whole(from, trimmed(bytes, from, to), to),
            _ => Extent::Open,
        };
    }
    // Some end a message with a zero.
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0));
    end.map_or(Extent::Open, |end| {
        Extent::Whole(0, trimmed(bytes, 0, end), end + 1)
    })
}

/// What a counted message begins with: a count, a blank, and the priority, which lines of other logs that begin
/// with a number do not have. Where it begins, and how long it is.
fn counted(bytes: &[u8]) -> Option<(usize, usize)> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 || digits > DIGITS_MAX || bytes.first() == Some(&b'0') {
        return None;
    }
    let begin = bytes.get(digits..digits + 2)?;
    let text = std::str::from_utf8(bytes.get(..digits)?).ok()?;
    (begin == b" <").then_some((digits + 1, text.parse().ok()?))
}

/// The end, without an end of line.
fn trimmed(bytes: &[u8], from: usize, to: usize) -> usize {
    let message = bytes.get(from..to).unwrap_or_default();
    let is_end = |byte: &&u8| matches!(**byte, b'\n' | b'\r' | 0);
    to - message.iter().rev().take_while(is_end).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(pieces: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        let mut text = |frame: Frame<'_>| {
            found.push(match frame {
                Frame::Message(message) => String::from_utf8_lossy(message).into_owned(),
                Frame::TooLong => "too long".to_owned(),
            });
        };
        for piece in pieces {
            frames.take(piece, &mut text);
        }
        let last = frames.end();
        found.extend(last.map(|last| String::from_utf8_lossy(&last).into_owned()));
        found
    }

    #[test]
    fn lines_and_counted_messages() {
        let both = b"<13>one\r\n\n9 <13>t\nwo\n<13>three\0";
        assert_eq!(messages(&[both]), ["<13>one", "<13>t\nwo", "<13>three"]);
        // Numbers are not counts.
        let zeek = b"2 123456789010 eni-1\n1591367999.3 C1\n";
        assert_eq!(
            messages(&[zeek]),
            ["2 123456789010 eni-1", "1591367999.3 C1"]
        );
        assert_eq!(messages(&[b"<13>last"]), ["<13>last"]);
        assert_eq!(messages(&[b"9 <13>la"]), [""; 0]);
    }

    #[test]
    fn what_is_too_long_takes_nothing_with_it() {
        let mut long = vec![b'x'; HELD_MAX + 1];
        assert_eq!(
            messages(&[&long, &long, b"y\nnext\n"]),
            ["too long", "next"]
        );
        long.splice(..0, *b"99999 <");
        assert_eq!(messages(&[&long, b"\nnext\n"]), ["too long", "next"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            lines in prop::collection::vec("<[0-9]{1,3}>[a-z \n]{0,20}[a-z]", 0..8),
            cuts in prop::collection::vec(1_usize..9, 0..60),
        ) {
            let counted: Vec<String> = lines.iter().map(|line| format!("{} {line}", line.len())).collect();
            let counted = counted.concat();
            let mut rest = counted.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, others) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = others;
            }
            pieces.push(rest);
            prop_assert_eq!(messages(&pieces), lines);
        }

        #[test]
        fn nothing_is_kept_without_bound(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut frames = Frames::default();
            for piece in &pieces {
                frames.take(piece, |_| {});
                prop_assert!(frames.held.len() <= HELD_MAX);
            }
        }
    }
}
