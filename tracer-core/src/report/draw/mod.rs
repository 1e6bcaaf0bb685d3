//! Pictures as SVG, which need no script and can be printed.
//!
//! Colours and lines are those of the page's style sheet: here are only shapes and their classes.

pub mod graph;
pub mod timeline;

/// A number of a picture, with one decimal.
fn unit(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A count as a length; what is beyond what a length can tell apart makes no difference in a picture.
#[expect(clippy::cast_precision_loss, reason = "a picture has a thousand units")]
fn length(count: u64) -> f64 {
    count as f64
}
