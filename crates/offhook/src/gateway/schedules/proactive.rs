//! What a user wishes of calls that are an agent's own idea.
//!
//! The operator sets how many there may be; whoever holds a key of the account may wish for fewer, for more time between
//! two, for quiet hours, or for none. A key that is bound to its target changes nothing of it.

use std::time::Duration;

use offhook_core::policy::{Proactive, Recent};
use offhook_core::time::DAY;
use offhook_core::{OwnerId, Timestamp};
use offhook_store::StoreError;
use serde::{Deserialize, Serialize};

use super::written::{QuietHours, quiet, zone};
use super::{ScheduleError, unreadable};
use crate::clock;
use crate::gateway::{Bound, Caller, Gateway};

const LONGEST_GAP: u32 = 7 * 24 * 60;
const MOST_CALLS: u32 = 1_000;

/// What is not said is as the operator has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProactiveWishes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_day: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_gap_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// What is wished, what holds, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProactiveUse {
    pub wishes: ProactiveWishes,
    pub holds: Proactive,
}

impl Gateway {
    pub async fn proactive(&self, caller: Caller) -> Result<ProactiveUse, ScheduleError> {
        let wishes = self.wishes(caller.owner).await.map_err(unreadable)?;
        let holds = self.proactive_now(caller.owner, clock::now()).await.map_err(unreadable)?;
        Ok(ProactiveUse { wishes, holds })
    }

    /// These in the place of what there was.
    pub async fn set_proactive(
        &self,
        caller: Caller,
        wishes: ProactiveWishes,
    ) -> Result<ProactiveUse, ScheduleError> {
        if caller.bound {
            return Err(Bound.into());
        }
        let wrong = |field, why: &str| Err(ScheduleError::Invalid { field, why: why.to_owned() });
        let zone = match &wishes.timezone {
            None => self.inner.settings.schedules.zone.clone(),
            Some(name) => match zone(name) {
                Some(zone) => zone,
                None => return wrong("timezone", "must be a zone such as Europe/Berlin"),
            },
        };
        if wishes.quiet_hours.as_ref().is_some_and(|hours| quiet(hours, &zone).is_none()) {
            return wrong("quiet_hours", "must have from and to, two times such as 22:00 and 08:00");
        }
        if wishes.calls_per_day.is_some_and(|calls| calls > MOST_CALLS) {
            return wrong("calls_per_day", "must be at most 1000");
        }
        if wishes.least_gap_minutes.is_some_and(|minutes| minutes > LONGEST_GAP) {
            return wrong("least_gap_minutes", "must be at most a week");
        }
        let text = serde_json::to_string(&wishes).expect("texts and numbers can be written");
        let kept = self.inner.store.set_proactive_wishes(caller.owner, &text, clock::now()).await;
        match kept.map_err(unreadable)? {
            true => self.proactive(caller).await,
            false => Err(ScheduleError::NotFound),
        }
    }

    async fn wishes(&self, owner: OwnerId) -> Result<ProactiveWishes, StoreError> {
        let written = self.inner.store.proactive_wishes(owner).await?;
        // What a newer version wrote besides is skipped.
        Ok(written.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// For the policy: what holds for this owner's user, and how many such calls there were.
    pub(in crate::gateway) async fn proactive_now(
        &self,
        owner: OwnerId,
        now: Timestamp,
    ) -> Result<Proactive, StoreError> {
        let wishes = self.wishes(owner).await?;
        let (count, oldest_at, last_at) = self.inner.store.proactive_calls(owner, now - DAY, now).await?;
        let settings = &self.inner.settings.schedules;
        let operator = settings.proactive;
        let zone = wishes.timezone.as_deref().and_then(zone).unwrap_or_else(|| settings.zone.clone());
        let quiet = wishes.quiet_hours.as_ref().and_then(|hours| quiet(hours, &zone));
        let gap = Duration::from_secs(60 * u64::from(wishes.least_gap_minutes.unwrap_or(0)));
        Ok(Proactive {
            wanted: wishes.enabled.unwrap_or(true),
            calls_per_day: operator.calls_per_day.into_iter().chain(wishes.calls_per_day).min(),
            least_gap: gap.max(operator.least_gap),
            quiet_until: quiet.and_then(|quiet| quiet.end(now)),
            calls: Recent { count, oldest_at },
            last_at,
        })
    }
}
