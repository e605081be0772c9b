//! The Realtime provider over a real WebSocket, against the fake server of the testkit.

mod contract;
mod conversation;
mod reopening;
mod talk;
