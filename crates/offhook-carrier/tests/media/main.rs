//! The media path, from SDP to frames.

mod loopback;
