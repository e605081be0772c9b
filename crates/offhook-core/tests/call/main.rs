//! Calls as timelines: what happens on the left, what the call does about it on the right.
//!
//! Each line of a script is `<milliseconds since the start> <input>`; between the lines the call's own deadlines
//! strike when they are due. The printed timeline has every action with its time.

mod answering;
mod approval;
mod connected;
mod consult;
mod delegate;
mod ending;
mod handoff;
mod hold;
mod masking;
mod menu;
mod opening;
mod pin;
mod reading;
mod reception;
mod result;
mod script;
mod setup;
mod steer;
mod through;
mod voicemail;
