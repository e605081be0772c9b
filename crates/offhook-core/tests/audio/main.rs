//! Audio: companding, resampling, conversion, tones.

mod convert;
mod g711;
mod resample;
mod signal;
mod tone;
