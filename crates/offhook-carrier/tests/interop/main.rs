//! The SIP carrier against programs we did not write: SIPp, baresip and OpenSSL. What both ends of our own tests
//! might misread alike, these read as their authors did.

mod challenges;
mod endings;
mod holding;
mod inbound;
mod many;
mod outbound;
mod rig;
mod sessions;
mod sipp;
mod softphone;
mod sound;
mod streams;
mod tls;
mod trunks;
