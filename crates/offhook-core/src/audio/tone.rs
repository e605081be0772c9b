//! Tone detection: DTMF, beeps, call-progress tones, silence.
