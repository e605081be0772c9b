//! What outlives a process and what stops it: kills, outages of the store, a second process on the same data.

mod claim;
mod files;
mod killed;
mod outage;
#[allow(dead_code, reason = "the tests of the product use the rest")]
#[path = "../product/receiver.rs"]
mod receiver;
mod rush;
mod shutdown;
mod waiting;
mod waves;
mod webhooks;
mod world;
