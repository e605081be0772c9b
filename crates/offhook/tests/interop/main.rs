//! The whole gateway against a softphone we did not write: what the API tells, what both ends recorded, and whether
//! it is the same sound.

mod gateway;
mod handoff;
mod softphone;
mod waveform;
