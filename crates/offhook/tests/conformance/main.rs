//! The contract as a suite: what an agent written for ClawCall relies on, row by row, and what nobody may do.
//!
//! `clawcall` is such an agent; it knows the contract and nothing else. The tables are held against the OpenAPI
//! document: a route or a field that no row is about fails a test.

#[allow(dead_code, reason = "shared with the product tests, which use all of it")]
#[path = "../product/agent.rs"]
mod agent;
#[allow(dead_code, reason = "shared with the product tests, which use all of it")]
#[path = "../product/rig.rs"]
mod rig;

mod approvals;
mod bodies;
mod campaigns;
mod clawcall;
mod concurrent;
mod document;
mod errors;
mod fields;
mod fuzzing;
mod hostile;
mod journeys;
mod latency;
mod pages;
mod preferences;
mod retries;
mod schedules;
mod strangers;
mod transitions;
