//! The command line as people and scripts use it: the real program, its output and its exit codes.

mod acs;
mod calling;
mod doctor;
mod machine;
mod operating;
mod schedules;
mod setup;
mod usage;
