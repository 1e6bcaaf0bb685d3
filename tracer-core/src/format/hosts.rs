//! The rows of hosts that communicate, as they are shown.

pub(crate) mod cells;
mod csv;
mod group;
mod table;

use super::{Layout, json::line};
use crate::{
    clock::Clock,
    hosts::{Row, Run},
};

/// Appends all of it as JSON: the first records, an object for each row, the last records.
pub fn json(runs: &[Run], rows: &[Row], out: &mut Vec<u8>) {
    let mut seq = 0;
    let mut next = || {
        seq += 1;
        seq
    };
    for run in runs {
        if let Some(first) = run.first_line(next()) {
            line(&first, out);
        }
    }
    for row in rows {
        next();
        line(row, out);
    }
    for run in runs {
        if let Some(last) = run.last_line(next()) {
            line(&last, out);
        }
    }
}

/// Appends all of it as a table, with the same before and after it.
pub fn table(runs: &[Run], rows: &[Row], layout: Layout, clock: &Clock, out: &mut Vec<u8>) {
    table::write(runs, rows, layout, clock, out);
}

/// Appends a row of headings and a row for each: all that JSON says of it. What is said before and after
/// them has no place here.
pub fn csv(rows: &[Row], out: &mut Vec<u8>) {
    csv::write(rows, out);
}
