//! Properties of `tracer-core` that hold for any input, and tables of what it knows of processes.

mod community_id;
mod cross_check;
mod decoding;
mod destinations;
mod discovery;
mod facts;
mod formats;
mod frames;
mod owners;
mod pipelines;
mod processes;
mod reading;
mod recordings;
mod runs;
mod states;
mod survey;
