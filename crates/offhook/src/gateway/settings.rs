//! What the operator decides once, at start.

use std::time::Duration;

use offhook_core::PhoneNumber;
use offhook_core::brief::{Disclosure, Opening};
use offhook_speech::local::Server;

use super::Inbound;
use super::ScheduleSettings;
use crate::{agents, webhooks};

/// What the gateway is told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether calls are placed at all.
    pub calling: bool,
    /// A caller without a key gets one on its first call.
    pub mint_keys: bool,
    pub opening: Opening,
    pub disclosure: Disclosure,
    /// BCP 47.
    pub language: String,
    /// How long a signed recording link works.
    pub recording_link: Duration,
    /// Our own numbers.
    pub lines: Vec<PhoneNumber>,
    /// How calls to our lines are answered.
    pub inbound: Inbound,
    /// Whom the voice calls for those who have set no target of their own.
    pub voice_target: Option<PhoneNumber>,
    pub webhooks: webhooks::Settings,
    pub schedules: ScheduleSettings,
    /// How long the same call again is another try of one that failed.
    pub repeat_window: Duration,
    /// Calls of one campaign at the same time.
    pub campaign_parallel: u32,
    /// Who may be asked on calls.
    pub agents: agents::Settings,
    /// What the voice is called.
    pub assistant_name: Option<String>,
    /// One-time codes and card numbers are masked wherever a call is written down.
    pub mask_secrets: bool,
    /// Card numbers, passwords, codes and identity numbers are kept out of briefings and calls.
    pub restrict_data: bool,
    /// Looks at a briefing after the rules did.
    pub check_model: Option<Server>,
}
