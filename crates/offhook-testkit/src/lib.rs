//! Counterparties for tests and measurements: fakes of foreign services, and programs of others. Never part of the
//! product.

pub mod acs;
pub mod postgres;
pub mod programs;
pub mod quiet;
pub mod realtime;
pub mod tone;
