//! What outlives a process and what stops it: kills, outages of the store, a second process on the same data.

mod claim;
mod files;
mod killed;
mod outage;
mod rush;
mod shutdown;
mod waves;
mod world;
