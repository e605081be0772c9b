//! The product as a whole: everything in one process, used through its public API, over real HTTP, SIP and RTP.
//!
//! The voice is the tagged one, which never mishears: what is said arrives word for word, or not at all.

mod acs;
mod acs_security;
mod agent;
mod agents;
mod approvals;
mod asking;
mod campaigns;
mod contract;
mod delegation;
mod fault;
mod follow_up;
mod handoff;
mod hold;
mod idempotency;
mod inbound;
mod inbound_pin;
mod inbound_told;
mod killed;
mod masking;
mod menus;
mod numbers;
mod program;
#[path = "../http/python.rs"]
mod python;
mod realtime;
mod receiver;
mod recording;
mod results;
mod retry;
mod rig;
mod schedule;
mod schedules;
mod shutdown;
mod steering;
mod voice_tool;
mod webhooks;
