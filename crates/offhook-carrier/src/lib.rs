//! Telephone networks: SIP trunks and softphones.

pub mod media;
