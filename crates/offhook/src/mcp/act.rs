//! What each tool does with the API.

use std::time::Duration;

use offhook_core::PhoneNumber;
use serde_json::{Map, Value, json};

use super::door::{Answer, Ask, Door};
use super::guide;
use super::tools::Act;
use super::wait::{self, Progress, Waits};
use super::{refusal, short};
use crate::gateway::KEY_PREFIX;

/// After a call was placed: what an agent that forgets everything else must know.
const WORKFLOW: &str = "The call is not over. Look with get_call every 3 seconds, or use wait_for_call, until lifecycle \
    is finalized. Then read result and get_call_transcript: outcome is what the telephone network came to, and an \
    answered call may still have failed. Report the number and the result first.";

/// What was placed without a key, by somebody who has nowhere to keep one but their client's settings.
const KEEP_KEY: &str = "This key was made for you and is shown once. Without it the call can't be looked at: have the \
    user set it as the X-Api-Key header of this server in their client.";

/// How often, and after which pauses, is looked whether the voice has taken an answer.
const TAKEN_LOOKS: u32 = 20;
const TAKEN_STEP: Duration = Duration::from_millis(100);

/// One use of a tool. What is in it is private: no `Debug`.
pub struct Use<'a> {
    pub door: Door<'a>,
    pub arguments: Map<String, Value>,
    pub waits: Waits,
    pub progress: Progress,
}

/// What there is below a call; its id comes from an agent and may be anything.
pub fn call_path(id: &str, below: &str) -> String {
    format!("/call/{}{below}", segment(id))
}

/// Whatever could end a part of a URL, encoded.
pub(super) fn segment(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    // A path of dots only would lead elsewhere.
    let dots = text.bytes().all(|byte| byte == b'.');
    text.bytes()
        .map(|byte| if kept(byte) && !dots { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl Use<'_> {
    /// The result, or what the agent is to read instead.
    pub async fn run(mut self, act: Act) -> Result<Value, String> {
        match act {
            Act::PlaceCall => self.place().await,
            Act::PlaceCallAndWait => self.place_and_wait().await,
            Act::WaitForCall => {
                let (id, patience) = (self.text("call_id"), self.waits.of(self.number("max_wait_seconds")));
                wait::for_end(&self.door, &id, patience, &self.progress).await
            }
            Act::GetCall => self.show().await,
            Act::GetTranscript => {
                let call = self.get(call_path(&self.text("call_id"), "")).await?;
                Ok(json!({ "transcript": call["transcript"].as_array().cloned().unwrap_or_default() }))
            }
            Act::HangUp => self.hang_up().await,
            Act::ListCalls => self.list().await,
            Act::GetRecording => self.recording().await,
            Act::GetBalance => self.get("/balance".to_owned()).await,
            Act::GetLink => Ok(self.link()),
            Act::SetKey => self.set_key(),
            Act::GetUserNumber => self.user_number(None),
            Act::SetUserNumber => {
                let number = self.take_text("number");
                self.user_number(Some(number))
            }
            Act::MakeVoiceCall => self.make_voice_call().await,
            Act::Phone => self.phone().await,
            Act::ChatCommand => self.chat_command().await,
            Act::GetGuide => self.guide(),
            Act::GetSettings => self.get("/me/call-preferences".to_owned()).await,
            Act::UpdateSettings => self.update_settings().await,
            Act::CheckCall => self.check().await,
            Act::Answer => self.answer().await,
            Act::Say => self.steer("/say").await,
            Act::Instruct => self.steer("/instruct").await,
            Act::PressDigits => self.steer("/digits").await,
            Act::Bridge => self.steer("/bridge").await,
            Act::RequestApproval => self.request_approval().await,
            Act::GetApproval => self.get_approval().await,
            Act::CancelApproval => self.cancel_approval().await,
            Act::StartCampaign => {
                let key = self.take_text("idempotency_key");
                let ask = Ask { idempotency_key: key, ..Ask::post("/campaigns", self.body()) };
                self.ask(ask).await.map(|answer| answer.body)
            }
            Act::GetCampaign => self.get(self.campaign("")).await,
            Act::ListCampaigns => self.get("/campaigns".to_owned()).await,
            Act::NoteCampaign => {
                let path = self.campaign("");
                self.arguments.remove("campaign_id");
                let ask = Ask::patch(path, self.body());
                self.ask(ask).await.map(|answer| answer.body)
            }
            Act::ScheduleCall => self.schedule_call().await,
            Act::ListSchedules => self.get("/schedules".to_owned()).await,
            Act::GetSchedule => self.get(self.schedule("")).await,
            Act::ChangeSchedule => self.change_schedule().await,
            Act::CancelSchedule => self.cancel_schedule().await,
            Act::RunSchedule => self.run_schedule().await,
            Act::StopCampaign => {
                self.ask(Ask::post(self.campaign("/stop"), json!({}))).await.map(|answer| answer.body)
            }
        }
    }

    async fn place(&mut self) -> Result<Value, String> {
        let mut placed = self.posted().await?;
        placed["workflow"] = WORKFLOW.into();
        if let Some(body) = placed.as_object_mut() {
            // The same as `call_id`.
            body.remove("id");
            if body.contains_key("api_key") {
                body.insert("keep_this_key".to_owned(), KEEP_KEY.into());
            }
        }
        Ok(placed)
    }

    async fn place_and_wait(&mut self) -> Result<Value, String> {
        let patience = self.waits.of(self.number("max_wait_seconds"));
        self.arguments.remove("max_wait_seconds");
        let placed = self.posted().await?;
        let id = placed["call_id"].as_str().unwrap_or_default().to_owned();
        // Whoever got a key with this call looks at it with that.
        if let (Some(key), Door::Here(here)) = (placed["api_key"].as_str(), &mut self.door) {
            here.key = Some(key.to_owned().into());
        }
        let mut waited = wait::for_end(&self.door, &id, patience, &self.progress).await?;
        if let (Some(key), Some(waited)) = (placed.get("api_key"), waited.as_object_mut()) {
            waited.insert("api_key".to_owned(), key.clone());
            waited.insert("keep_this_key".to_owned(), KEEP_KEY.into());
        }
        Ok(waited)
    }

    /// `POST /call`.
    async fn posted(&mut self) -> Result<Value, String> {
        let idempotency_key = self.take_text("idempotency_key");
        let ask = Ask { idempotency_key, ..Ask::post("/call", self.body()) };
        self.ask(ask).await.map(|answer| answer.body)
    }

    async fn show(&self) -> Result<Value, String> {
        let answer = self.ask(Ask::get(call_path(&self.text("call_id"), ""))).await?;
        let mut call = short::call(&answer.body);
        if let Some(tier) = answer.header("x-clawcall-tier") {
            call["tier"] = tier.into();
        }
        Ok(call)
    }

    async fn hang_up(&self) -> Result<Value, String> {
        let id = self.text("call_id");
        let answer = self.said(Ask::post(call_path(&id, "/hangup"), json!({}))).await?;
        match answer.status.as_u16() {
            409 => Ok(json!({
                "success": true, "call_id": id, "status": "already_terminal", "message": "The call had already ended.",
            })),
            _ => accepted(answer).map(|answer| answer.body),
        }
    }

    async fn list(&self) -> Result<Value, String> {
        let mut path = format!("/calls?limit={}", self.number("limit").unwrap_or(25));
        for field in ["direction", "since"] {
            if self.arguments.contains_key(field) {
                path.push_str(&format!("&{field}={}", segment(&self.text(field))));
            }
        }
        if self.arguments.get("live") == Some(&Value::Bool(true)) {
            path.push_str("&live=true");
        }
        let page = self.get(path).await?;
        let calls = page["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(json!({ "calls": calls.iter().map(short::listed).collect::<Vec<_>>() }))
    }

    async fn recording(&self) -> Result<Value, String> {
        let answer = self.said(Ask::get(call_path(&self.text("call_id"), "/recording"))).await?;
        match answer.location() {
            Some(location) if answer.status.as_u16() == 302 => Ok(json!({ "recording_url": location })),
            _ => Err(refusal::text(&answer)),
        }
    }

    fn link(&self) -> Value {
        match self.door.linking() {
            Some((front, key)) => json!({ "url": format!("{front}/sign-up?token={key}") }),
            None => json!({
                "message": "There is no key yet, so there is nothing to link. The first call gets one; ask again then.",
            }),
        }
    }

    fn set_key(&self) -> Result<Value, String> {
        let key = self.text("api_key");
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !key.starts_with(KEY_PREFIX) || !key.bytes().all(fits) {
            return Err(format!(
                "This is no API key: one starts with {KEY_PREFIX}. Ask the user for it again."
            ));
        }
        match &self.door {
            Door::There(there) => there.set_key(&key).map(|()| json!({ "ok": true })),
            Door::Here(_) => {
                Err("Set the key as the X-Api-Key header of this server in your client.".to_owned())
            }
        }
    }

    /// The number that is kept, or is from now on.
    fn user_number(&self, change: Option<Option<String>>) -> Result<Value, String> {
        let Door::There(there) = &self.door else { return Err("Nothing is kept here for users.".to_owned()) };
        if let Some(number) = change {
            let number = number.map(|number| PhoneNumber::parse(&number)).transpose();
            let number = number.map_err(|error| format!("number: {error}"))?;
            there.set_phone(number.as_ref().map(PhoneNumber::as_e164))?;
        }
        Ok(json!({ "user_phone_number": there.phone() }))
    }

    fn guide(&self) -> Result<Value, String> {
        let topic = self.arguments.get("topic").and_then(Value::as_str).unwrap_or("outbound");
        match guide::page(topic) {
            Some(page) => Ok(page.text.into()),
            None => Err(format!("There is no topic {topic}; there are: {}", guide::topics().join(", "))),
        }
    }

    /// Changes what is named and keeps the rest, while the API replaces everything.
    async fn update_settings(&mut self) -> Result<Value, String> {
        let now = self.get("/me/call-preferences".to_owned()).await?;
        let mut wanted = Map::new();
        for field in ["voice", "personality", "greeting", "warm_greeting"] {
            let value = self.arguments.remove(field).unwrap_or_else(|| now[field].clone());
            wanted.insert(field.to_owned(), value);
        }
        match self.arguments.remove("inbound") {
            // Left out, it stays.
            None => {}
            Some(Value::Object(changes)) => {
                wanted.insert("inbound".to_owned(), Value::Object(changed(&now["inbound"], changes)));
            }
            Some(other) => {
                wanted.insert("inbound".to_owned(), other);
            }
        }
        let answer = self.ask(Ask::put("/me/call-preferences", Value::Object(wanted))).await?;
        Ok(answer.body)
    }

    async fn check(&mut self) -> Result<Value, String> {
        let show_prompt = self.arguments.remove("show_prompt") == Some(Value::Bool(true));
        let ask = Ask::post("/call/check", self.body());
        let mut check = self.ask(ask).await?.body;
        if let Some(check) = check.as_object_mut().filter(|_| !show_prompt) {
            // As long as everything else together, and only wanted to make sure of something.
            check.remove("prompt");
            check.remove("tools");
        }
        Ok(check)
    }

    /// Done when the voice has it: who waits for the call next must not be asked the same again.
    async fn answer(&mut self) -> Result<Value, String> {
        let path = call_path(&self.text("call_id"), "");
        let open = async |it: &Self| {
            let call = it.get(path.clone()).await.unwrap_or_default();
            call["pending_question"]["question_id"].as_u64()
        };
        let asked = open(self).await;
        let taken = self.steer("/answer").await?;
        for _ in 0..TAKEN_LOOKS {
            if asked.is_none() || open(self).await != asked {
                break;
            }
            tokio::time::sleep(TAKEN_STEP).await;
        }
        Ok(taken)
    }

    async fn steer(&mut self, below: &str) -> Result<Value, String> {
        let path = call_path(&self.text("call_id"), below);
        self.arguments.remove("call_id");
        let ask = Ask::post(path, self.body());
        self.ask(ask).await.map(|answer| answer.body)
    }

    fn campaign(&self, below: &str) -> String {
        format!("/campaigns/{}{below}", segment(&self.text("campaign_id")))
    }

    pub(super) fn body(&mut self) -> Value {
        Value::Object(std::mem::take(&mut self.arguments))
    }

    /// A text, or what was written instead of one: the API says what is wrong with that.
    pub(super) fn text(&self, name: &str) -> String {
        match self.arguments.get(name) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        self.arguments.remove(name).map(|_| text)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let number = self.arguments.get(name)?;
        number.as_u64().or_else(|| number.as_str()?.trim().parse().ok())
    }

    async fn get(&self, path: String) -> Result<Value, String> {
        self.ask(Ask::get(path)).await.map(|answer| answer.body)
    }

    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, String> {
        accepted(self.said(ask).await?)
    }

    async fn said(&self, ask: Ask) -> Result<Answer, String> {
        self.door.ask(ask).await.map_err(|error| error.to_string())
    }
}

fn accepted(answer: Answer) -> Result<Answer, String> {
    if answer.status.is_success() { Ok(answer) } else { Err(refusal::text(&answer)) }
}

/// An inbound profile with some of it changed, as it is sent back: without what only the server says.
fn changed(now: &Value, changes: Map<String, Value>) -> Map<String, Value> {
    let mut profile = now.as_object().cloned().unwrap_or_default();
    for field in ["configured", "active_reserved_number"] {
        profile.remove(field);
    }
    // A destination that is not there is not the wish to have none.
    profile.retain(|_, value| !value.is_null());
    if changes.contains_key("handoff_number") {
        profile.remove("loop_in_user");
    }
    if changes.contains_key("loop_in_user") {
        profile.remove("handoff_number");
    }
    profile.extend(changes);
    profile
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_in_its_part_of_the_path() {
        for (id, expected) in [
            ("0199a1e0-1b2c", "/call/0199a1e0-1b2c/say"),
            ("../me", "/call/..%2Fme/say"),
            ("..", "/call/%2E%2E/say"),
            ("a?b#c d", "/call/a%3Fb%23c%20d/say"),
            ("é", "/call/%C3%A9/say"),
            ("", "/call//say"),
        ] {
            assert_eq!(call_path(id, "/say"), expected);
        }
    }

    #[test]
    fn a_profile_is_changed_in_part() {
        let now = json!({
            "enabled": true, "configured": true, "instructions": "Take a message.", "greeting": "Hello.",
            "handoff_number": "+13125550163", "active_reserved_number": { "id": 1 },
        });
        let change = |changes: Value| Value::Object(changed(&now, changes.as_object().unwrap().clone()));
        assert_eq!(
            change(json!({ "greeting": "Hi." })),
            json!({
                "enabled": true, "instructions": "Take a message.", "greeting": "Hi.", "handoff_number": "+13125550163",
            })
        );
        let flagged = change(json!({ "loop_in_user": true }));
        assert_eq!((&flagged["loop_in_user"], &flagged["handoff_number"]), (&json!(true), &Value::Null));
        // The API refuses a null here, and is to say so itself.
        assert!(change(json!({ "loop_in_user": null })).as_object().unwrap().contains_key("loop_in_user"));
    }
}
