//! Audio: companding, resampling, conversion, tones.

mod convert;
mod frame;
mod g711;
mod hold;
mod mix;
mod resample;
mod signal;
mod tone;
