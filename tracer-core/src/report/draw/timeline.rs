//! The timeline as a picture: connections above, bytes below.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{length, unit};
use crate::{
    format::quantity::size,
    report::{
        html::number,
        timeline::{Step, Timeline},
    },
};

const WIDTH: f64 = 960.0;
/// Where the axis begins; left of it are the numbers.
const LEFT: f64 = 64.0;
/// How high the part with connections is.
const CONNECTIONS: Band = Band {
    top: 22.0,
    height: 74.0,
};
/// How high the parts with bytes that left, and that came, are.
const SENT: Band = Band {
    top: 126.0,
    height: 52.0,
};
const RECEIVED: Band = Band {
    top: 178.0,
    height: 52.0,
};
const BOTTOM: f64 = 230.0;
const HEIGHT: f64 = 262.0;

/// Times that are written under it, at most.
const TICKS: usize = 6;

/// A part of the picture.
#[derive(Clone, Copy)]
struct Band {
    top: f64,
    height: f64,
}

/// The picture.
pub fn draw(timeline: &Timeline) -> String {
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        label(timeline)
    );
    let most = |of: fn(&Step) -> u64| timeline.steps.iter().map(of).max().unwrap_or(0);
    let tallest = most(|step| step.opened() + step.failed());
    let most_moved = most(Step::sent).max(most(Step::received));
    frame(&mut svg, tallest, most_moved);
    ticks(&mut svg, timeline);
    for (at, step) in timeline.steps.iter().enumerate() {
        column(&mut svg, timeline, at, step, tallest, most_moved);
    }
    svg.push_str("</svg>");
    svg
}

fn label(timeline: &Timeline) -> String {
    let opened: u64 = timeline.steps.iter().map(Step::opened).sum();
    let failed: u64 = timeline.steps.iter().map(Step::failed).sum();
    format!(
        "Timeline in steps of {}: {} connections opened, {} attempts failed",
        timeline.step(),
        number(opened),
        number(failed)
    )
}

/// Axes, and what the highest column stands for.
fn frame(svg: &mut String, tallest: u64, most_moved: u64) {
    for (y, words) in [
        (12.0, "connections opened, attempts failed"),
        (116.0, "bytes out (up) and in (down)"),
    ] {
        let _ = write!(
            svg,
            "<text class=\"title\" x=\"{LEFT}\" y=\"{y}\">{words}</text>"
        );
    }
    for y in [CONNECTIONS.top + CONNECTIONS.height, RECEIVED.top] {
        let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {y}H{WIDTH}\"/>");
    }
    let numbers = [
        (CONNECTIONS.top + 8.0, number(tallest)),
        (CONNECTIONS.top + CONNECTIONS.height, "0".to_owned()),
        (SENT.top + 8.0, size(most_moved)),
        (RECEIVED.top + 4.0, "0".to_owned()),
        (BOTTOM, size(most_moved)),
    ];
    for (y, words) in numbers {
        let x = LEFT - 6.0;
        let _ = write!(
            svg,
            "<text class=\"end\" x=\"{x}\" y=\"{y}\">{words}</text>"
        );
    }
}

/// Times under the axis, at beginnings of steps.
fn ticks(svg: &mut String, timeline: &Timeline) {
    let count = timeline.steps.len();
    let every = count.div_ceil(TICKS).max(1);
    let mut day = String::new();
    let of_tick = i64::try_from(every)
        .unwrap_or(1)
        .saturating_mul(timeline.step_ms);
    let has_parts = of_tick % 1000 != 0 || timeline.begin_ms % 1000 != 0;
    for at in (0..count).step_by(every) {
        // The last one would stand beyond the edge.
        if at > 0 && count - at < every / 2 {
            break;
        }
        let x = x_of(timeline, at);
        let begin = begin_of(timeline, at);
        let time = begin.strftime(if has_parts {
            "%H:%M:%S%.2f"
        } else {
            "%H:%M:%S"
        });
        let date = begin.strftime("%Y-%m-%d").to_string();
        let _ = write!(
            svg,
            "<path class=\"tick\" d=\"M{0} {BOTTOM}v5\"/><text x=\"{0}\" y=\"{1}\">{time}</text>",
            unit(x),
            BOTTOM + 16.0
        );
        if date != day {
            let _ = write!(
                svg,
                "<text class=\"day\" x=\"{}\" y=\"{}\">{date}</text>",
                unit(x),
                BOTTOM + 29.0
            );
            day = date;
        }
    }
}

/// What happened in a step, and a title that says it in numbers.
fn column(svg: &mut String, timeline: &Timeline, at: usize, step: &Step, tallest: u64, most: u64) {
    if *step == Step::default() {
        return;
    }
    let x = x_of(timeline, at);
    let width = (x_of(timeline, at + 1) - x - 0.5).max(0.8);
    let _ = write!(svg, "<g><title>{}</title>", title(timeline, at, step));
    let mut base = CONNECTIONS.top + CONNECTIONS.height;
    for (class, count) in [
        ("external", step.external.opened),
        ("other", step.other.opened),
        ("failed", step.failed()),
    ] {
        let height = scaled(count, tallest, CONNECTIONS.height);
        base -= height;
        bar(svg, class, x, base, width, height);
    }
    let (mut up, mut down) = (SENT.top + SENT.height, RECEIVED.top);
    for (class, part) in [("external", step.external), ("other", step.other)] {
        let (sent, received) = (
            scaled(part.sent, most, SENT.height),
            scaled(part.received, most, RECEIVED.height),
        );
        up -= sent;
        bar(svg, class, x, up, width, sent);
        bar(svg, class, x, down, width, received);
        down += received;
    }
    svg.push_str("</g>");
}

fn title(timeline: &Timeline, at: usize, step: &Step) -> String {
    let begin = begin_of(timeline, at).strftime("%Y-%m-%d %H:%M:%S%.f");
    format!(
        "{begin} and {} on: {} opened ({} external), {} failed, {} out, {} in",
        timeline.step(),
        number(step.opened()),
        number(step.external.opened),
        number(step.failed()),
        size(step.sent()),
        size(step.received())
    )
}

fn bar(svg: &mut String, class: &str, x: f64, y: f64, width: f64, height: f64) {
    if height > 0.0 {
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            unit(x),
            unit(y),
            unit(width),
            unit(height)
        );
    }
}

/// A height; whatever is there can be seen.
fn scaled(count: u64, most: u64, height: f64) -> f64 {
    if count == 0 || most == 0 {
        return 0.0;
    }
    (length(count) / length(most) * height).max(0.7)
}

fn x_of(timeline: &Timeline, at: usize) -> f64 {
    let (at, count) = (at as u64, timeline.steps.len() as u64);
    LEFT + length(at) / length(count.max(1)) * (WIDTH - LEFT)
}

fn begin_of(timeline: &Timeline, at: usize) -> Timestamp {
    let steps = i64::try_from(at).unwrap_or(i64::MAX);
    let ms = timeline
        .begin_ms
        .saturating_add(steps.saturating_mul(timeline.step_ms));
    Timestamp::from_millisecond(ms).unwrap_or_default()
}
