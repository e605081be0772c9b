//! What a call has to do with the clock and with other calls. Each member is absent where there is nothing to say.

use offhook_core::CallId;
use offhook_store::Ties;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::iso;

#[derive(Clone, Default, Serialize, ToSchema)]
pub struct CallTies {
    /// Not placed before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Not placed after then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// The call it follows up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_up_to: Option<String>,
    /// The calls that follow it up, oldest first; shown of one call, not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub follow_ups: Vec<String>,
    /// The call it is the one other try of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// What placed it by the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<String>,
}

impl CallTies {
    pub fn new(ties: &Ties, follow_ups: &[CallId]) -> Self {
        Self {
            not_before: ties.not_before.map(iso),
            not_after: ties.not_after.map(iso),
            follow_up_to: ties.follows.map(|call| call.to_string()),
            follow_ups: follow_ups.iter().map(CallId::to_string).collect(),
            retry_of: ties.repeats.map(|call| call.to_string()),
            campaign_id: ties.campaign.map(|campaign| campaign.to_string()),
            schedule_id: ties.schedule.map(|schedule| schedule.to_string()),
        }
    }
}
