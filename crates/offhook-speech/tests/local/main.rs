//! The local voice through its public interface.

mod asking;
mod conversation;
mod phone;
mod programs;
mod servers;
mod tagged;
