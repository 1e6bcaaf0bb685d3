//! What is done with what readers tell, wherever it came from.

use tracer_core::{
    flows::{Flow, export},
    logs::{Problem, Taken},
    text::printable,
};

use super::{out::Sink, problems::Problems};

/// Deals with what lines tell.
pub fn lines(
    taken: &mut Taken<Flow>,
    problems: &mut Problems,
    out: &mut dyn Sink,
) -> anyhow::Result<()> {
    for Problem { origin, why } in taken.problems.drain(..) {
        let place = match &*origin.file {
            file if problems.is_of(file) => format!("line {}", origin.line),
            sender => format!("line {} of {}", origin.line, printable(sender)),
        };
        problems.take(&place, &why.0);
    }
    for flow in taken.told.drain(..) {
        out.take(flow)?;
    }
    Ok(())
}

/// Deals with what packets tell.
pub fn packets(
    taken: &mut export::Taken,
    problems: &mut Problems,
    out: &mut dyn Sink,
) -> anyhow::Result<()> {
    for problem in taken.problems.drain(..) {
        // Nothing was lost by it.
        if problem.reason.is_harmless() {
            continue;
        }
        let origin = &problem.origin;
        let number = origin.packet.unwrap_or_default();
        let source = origin.file.as_ref().or(origin.exporter.as_ref());
        let place = match source {
            Some(source) if !problems.is_of(source) => format!("packet {number} of {source}"),
            _ => format!("packet {number}"),
        };
        problems.take(&printable(&place), &problem.to_string());
    }
    for flow in taken.flows.drain(..) {
        out.take(flow)?;
    }
    Ok(())
}
