//! `offhook phone` and `offhook call me`: the user's own number, and a call to it.
//!
//! The server keeps whom the voice calls for the account of the key. The state file beside the agent keeps the number
//! too, for `--bridge` and for as long as there is no key.

use offhook_core::PhoneNumber;
use serde_json::{Value, json};

use super::client::Client;
use super::state::State;
use super::{Context, Failure, failed};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  offhook phone                                   the number that the voice calls you on
  offhook phone +13125550163                      from now on this one
  offhook call me \"Tell me how the deploy went\"   call it")]
pub struct Phone {
    /// Call you on this number from now on, in E.164; the server checks that it may be called
    #[arg(conflicts_with = "forget")]
    number: Option<String>,
    /// Forget the one that is kept
    #[arg(long)]
    forget: bool,
}

const TARGET: &str = "/me/voice-target";

pub async fn run(args: Phone, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let state = State::load(&context.env);
    let number = args.number.as_deref().map(PhoneNumber::parse).transpose();
    let number = number.map_err(|error| Failure::Usage(error.to_string()))?;
    // Without a key the server knows of nobody.
    let target = match state.key() {
        None => None,
        Some(_) => Some(match (&number, args.forget) {
            (Some(number), _) => client.put(TARGET, &json!({ "number": number.as_e164() })).await?,
            (None, true) => client.delete(TARGET).await?,
            (None, false) => client.get(TARGET).await?,
        }),
    };
    match &number {
        Some(number) => state.save_phone(Some(number.as_e164())).map_err(failed)?,
        None if args.forget => state.save_phone(None).map_err(failed)?,
        None => {}
    }
    if target.is_none() && number.is_some() {
        eprintln!(
            "offhook: kept here for handoffs; tell the server when there is an API key (`offhook phone` again)"
        );
    }
    let kept = state.phone();
    let called = target.as_ref().and_then(|target| target["number"].as_str()).or(kept.as_deref());
    if context.json {
        let source = target.as_ref().map_or(&Value::Null, |target| &target["source"]);
        println!("{}", json!({ "number": called, "source": source, "user_phone_number": kept }));
    } else {
        let source = target.as_ref().and_then(|target| target["source"].as_str());
        let whose = match source {
            Some("operator") => "  (the one of this server; yours is not set)",
            Some("account_phone") => "  (the confirmed phone of the account)",
            _ => "",
        };
        println!("{}{whose}", called.unwrap_or("none is kept"));
    }
    Ok(())
}

/// What `offhook call me` sends.
#[derive(Debug, Default)]
pub struct ToUser<'a> {
    pub prompt: Option<String>,
    pub opening_message: Option<&'a str>,
    pub max_duration: Option<u64>,
    pub webhook_url: Option<&'a str>,
}

impl ToUser<'_> {
    pub async fn place(&self, client: &Client, idempotency_key: Option<&str>) -> Result<Value, Failure> {
        let body = json!({
            "prompt": self.prompt, "opening_message": self.opening_message,
            "max_duration_seconds": self.max_duration, "webhook_url": self.webhook_url,
        });
        client.post_once("/tools/make_voice_call", &body, idempotency_key).await
    }
}
