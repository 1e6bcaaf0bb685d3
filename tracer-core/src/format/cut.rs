//! Text where there is no room for all of it, by what it takes on the screen.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands where something is left out.
const MARK: char = '…';

/// Which end of a text tells less, and is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Names say at their beginning what they are.
    End,
    /// Paths, and names of hosts, say it at their end.
    Beginning,
}

impl Cut {
    /// A text that is no wider than this.
    pub fn apply(self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let Some(room) = width.checked_sub(1) else {
            return String::new();
        };
        match self {
            Self::End => {
                let mut short: String = fitting(text.chars(), room).collect();
                short.push(MARK);
                short
            }
            Self::Beginning => {
                let kept: Vec<char> = fitting(text.chars().rev(), room).collect();
                std::iter::once(MARK)
                    .chain(kept.into_iter().rev())
                    .collect()
            }
        }
    }
}

/// As many characters as there is room for.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> impl Iterator<Item = char> {
    chars
        .scan(0, move |used, c| {
            *used += c.width().unwrap_or(0);
            Some((*used, c))
        })
        .take_while(move |(used, _)| *used <= room)
        .map(|(_, c)| c)
}

/// A name of which the beginning stays.
pub fn cut(text: &str, width: usize) -> String {
    Cut::End.apply(text, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_no_wider_than_its_room() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語日本語", 6), "日本…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn of_a_host_the_domain_stays() {
        let cut = |text, width| Cut::Beginning.apply(text, width);
        assert_eq!(cut("a.very.long.example.com", 12), "…example.com");
        assert_eq!(cut("host.example.com", 16), "host.example.com");
        assert_eq!(cut("日本語", 4), "…語");
    }
}
