//! Resampling between 8, 16, 24 and 48 kHz by polyphase FIR filters.
