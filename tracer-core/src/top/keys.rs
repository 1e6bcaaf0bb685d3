//! What keys there are, and what comes of them.

/// A key, as far as one means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// A character, with Ctrl.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// It looks different now.
    Draw,
    /// Everything is to be written again, for somebody else has written here.
    Repaint,
    /// That was all.
    Quit,
}

/// What keys do.
pub const HELP: [(&str, &str); 12] = [
    ("Up Down j k", "select a row; also PgUp, PgDn, Home, End"),
    ("Enter", "details of the row; Esc goes back"),
    ("Tab", "connections or hosts"),
    (
        "/",
        "filter as you type, by words; Enter keeps it, Esc drops it",
    ),
    ("x", "external addresses only, or all"),
    ("s S < >", "sort by the next column, or by the one before"),
    ("r", "reverse the order"),
    (
        "p Space",
        "pause: rows stay as they are; loss is still told",
    ),
    (
        "d",
        "what was lost, what is degraded and not covered, in sentences",
    ),
    ("Ctrl-L", "draw everything again"),
    ("? h", "this help"),
    ("q Ctrl-C", "quit"),
];

/// What else is to be known.
pub const NOTES: [&str; 5] = [
    "-> is outbound, <- inbound; without an arrow it is a listener",
    "AGE > is of what is older than the tracing; what ended stays for 10 s",
    "bytes and states of what is open are as old as --update-interval",
    "LOSS: it happened and could not be told",
    "DEGRADED: this kernel keeps conntracer from seeing all there is",
];
