//! The HTTP API as an agent meets it: the whole gateway on port 0, calls to the sandbox, a voice that needs no
//! programs.

mod balance;
mod calls;
mod check;
mod contract;
mod errors;
mod events;
mod inbound;
mod keys;
mod limits;
mod linking;
mod me;
mod preferences;
mod python;
mod question;
mod readiness;
mod recordings;
mod second_leg;
mod server;
