//! The SIP carrier against a far end that is nothing but a socket and a script: every byte on the wire is seen.

mod admission;
mod far_end;
mod inbound;
mod outbound;
mod released;
mod sessions;
mod streams;
mod trunks;
