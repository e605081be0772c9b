//! The gateway: one phone line for AI agents.
//!
//! [`gateway::Gateway`] holds the use-cases; the HTTP API is a codec over it and nothing else, and the
//! command line a client of that.
//! [`admission`] decides which calls may start, [`engine`] starts and finds their sessions, [`session`] is the loop of
//! one call, [`writer`] writes down what happens in all of them.

#[cfg(not(unix))]
compile_error!("offhook runs on Unix: Linux, macOS, the BSDs");

pub mod acs;
pub mod admission;
pub mod agents;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod gateway;
pub mod http;
pub mod mcp;
pub mod recorder;
pub mod session;
pub mod setup;
pub mod webhooks;
pub mod writer;
