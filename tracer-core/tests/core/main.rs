//! Properties of `tracer-core` that hold for any input, and tables of what it knows of processes.

mod community_id;
mod decoding;
mod facts;
mod frames;
mod owners;
mod pipelines;
mod processes;
mod recordings;
