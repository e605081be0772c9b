//! Azure Communication Services on the loopback interface: Call Automation, its callbacks, its media socket and the
//! events of incoming calls, with the people on the phone.
//!
//! It checks the signature of every request, signs what it sends with a key of its own, and does what the service does
//! where somebody saw it: events that overtake the reply, two events for one failure, a request that is repeated done
//! once. A test is the person on the phone ([`Person`]); who should behave without a test's help is a [`Callee`]. The
//! vendor's own client checks it: see `python/`.

mod call;
mod callee;
mod courier;
mod event;
mod grid;
mod life;
mod media;
mod operations;
mod person;
mod request;
mod rest;
mod service;
mod signature;
mod sound;
mod token;

pub use call::{Delivered, Direction, MediaSocket, Offer, Seen, Stage};
pub use callee::{Callee, Delivery, Reaction};
pub use event::Outcome;
pub use person::Person;
pub use request::{Operation, Request};
pub use rest::Fault;
pub use service::{FakeAcs, Service};
pub use sound::{Sound, Stop, finds, speech};
pub use token::{Algorithm, Claims, ISSUER};
