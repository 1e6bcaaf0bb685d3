//! The terminal.

/// What is assumed of a terminal that does not tell.
const DEFAULT_WIDTH: usize = 80;

const DEFAULT_HEIGHT: usize = 24;

/// Lines of the terminal that stdout is.
pub fn height() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(DEFAULT_HEIGHT, |(_, height)| usize::from(height.0))
}

/// Columns of the terminal that stdout is.
pub fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0))
}
