//! The SIP carrier against a far end that is nothing but a socket and a script: every byte on the wire is seen.

mod admission;
mod dns;
mod failover;
mod far_end;
mod identity;
mod inbound;
mod long_requests;
mod outbound;
mod released;
mod sessions;
mod streams;
mod trunks;
