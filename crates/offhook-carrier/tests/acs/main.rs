//! The ACS carrier beside what others wrote.

mod signature;
