//! What conntracer makes of the kernel's frames.
//!
//! The way of a frame: [`decode`] → attribute ([`attribution`], with [`process`], [`cgroup`] and
//! [`connections`] as its memory) → [`select`] → enrich ([`scope`], [`service`]) → [`format`].
//! [`pipeline`] leads it along. Nothing here does I/O, reads a clock or knows aya: whatever the
//! machine has to say comes in as a [`fact`], so that a [`recording`] of frames and facts gives the
//! same records again anywhere.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod attribution;
pub mod cgroup;
pub mod clock;
pub mod connections;
pub mod container;
pub mod cross_check;
pub mod decode;
pub mod discovery;
pub mod enrich;
pub mod executable;
pub mod fact;
mod fields;
pub mod flows;
pub mod format;
pub mod geo;
pub mod history;
pub mod hosts;
pub mod logs;
pub mod names;
pub mod outcome;
pub mod people;
pub mod pipeline;
pub mod process;
pub mod protocol;
pub mod record;
pub mod recording;
pub mod redact;
pub mod report;
pub mod scope;
pub mod select;
pub mod service;
pub mod socket;
mod survey;
pub mod text;
pub mod threat;
pub mod top;
pub mod totals;
