//! Counterparties for tests and measurements: fakes of foreign services. Never part of the product.

pub mod quiet;
pub mod realtime;
