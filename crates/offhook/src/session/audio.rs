//! The audio of one call between leg and model: conversion both ways, and playout.

use offhook_core::Frame;
use offhook_core::audio::{AudioFormat, Converter};
use offhook_core::call::Utterance;
use offhook_core::pump::{Heard, Pump};
use offhook_speech::SpeechSession;

#[derive(Debug)]
pub struct AudioPath {
    pub pump: Pump,
    leg_to_model: Converter,
    model_to_leg: Converter,
    silence: Frame,
    frame: Option<Frame>,
}

impl AudioPath {
    fn new(pump: Pump, leg: AudioFormat, model: AudioFormat) -> Self {
        Self {
            pump,
            leg_to_model: Converter::new(leg, model),
            model_to_leg: Converter::new(model, leg),
            silence: Frame::silence(leg),
            frame: None,
        }
    }

    /// Make the path, or make it anew when the leg's format changed; what that cut off.
    pub fn renew(path: &mut Option<Self>, leg: AudioFormat, model: AudioFormat) -> Option<Heard> {
        if path.as_ref().is_some_and(|path| path.pump.format() == leg) {
            return None;
        }
        let cut_off = path.as_mut().and_then(|path| path.pump.barge_in());
        let pump = path.as_ref().map_or_else(|| Pump::new(leg), |path| path.pump.renewed(leg));
        *path = Some(Self::new(pump, leg, model));
        cut_off
    }

    pub fn remote_frame(&mut self, frame: &Frame, speech: &mut SpeechSession) {
        if self.leg_to_model.is_passthrough() {
            speech.hear(frame);
        } else {
            speech.hear(&self.leg_to_model.convert_frame(frame));
        }
    }

    pub fn model_audio(&mut self, utterance: Utterance, bytes: Vec<u8>) {
        if self.model_to_leg.is_passthrough() {
            return self.pump.push(utterance, bytes);
        }
        let mut converted = Vec::with_capacity(bytes.len());
        self.model_to_leg.convert(&bytes, &mut converted);
        self.pump.push(utterance, converted);
    }

    /// The frame to send now: what the voice says, if anything, or silence, which keeps the path open through NATs.
    /// While `paused` nothing we send is heard, so nothing is taken from the pump.
    pub fn next_model_frame(&mut self, paused: bool) -> (bool, &Frame) {
        self.frame = if paused { None } else { self.pump.pull() };
        (self.frame.is_some(), self.frame.as_ref().unwrap_or(&self.silence))
    }
}
