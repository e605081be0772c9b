//! The fake Communication Services, held to the vendor's own client and to what was seen of the real service.

mod application;
mod behaviour;
mod vendor;
