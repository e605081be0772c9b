//! The media path, from SDP to frames.

mod any_bytes;
mod far_end;
mod hearing;
mod loopback;
mod negotiating;
mod reporting;
mod sending;
