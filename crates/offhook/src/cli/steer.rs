//! `say`, `instruct`, `digits`, `answer`, `bridge`: guiding a call that is under way.

use serde_json::json;

use super::client::Client;
use super::state::State;
use super::{Context, Failure};

#[derive(Debug, clap::Args)]
pub struct Told {
    /// The call's id; `offhook calls --live` lists them
    id: String,
    /// What the voice is told
    #[arg(required = true)]
    text: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Answered {
    /// The call's id; `offhook calls --live` lists them
    id: String,
    /// What the voice asked for
    #[arg(required = true)]
    answer: Vec<String>,
    /// Which question this answers, by its number [default: the one that is open]
    #[arg(long, value_name = "NUMBER")]
    question: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub struct Keys {
    /// The call's id; `offhook calls --live` lists them
    id: String,
    /// 0-9 * # A-D; w pauses half a second, W one second
    digits: String,
}

#[derive(Debug, clap::Args)]
pub struct Bridged {
    /// The call's id; `offhook calls --live` lists them
    id: String,
    /// The user's own number [default: the one of the call, or the one kept by `offhook phone`]
    number: Option<String>,
    /// Join them without telling them first who is there
    #[arg(long)]
    straight: bool,
}

pub async fn say(Told { id, text }: Told, context: &Context) -> Result<(), Failure> {
    tell(&id, "say", &json!({ "text": text.join(" ") }), "The voice says it next.", context).await
}

pub async fn instruct(Told { id, text }: Told, context: &Context) -> Result<(), Failure> {
    tell(&id, "instruct", &json!({ "text": text.join(" ") }), "The voice was told.", context).await
}

pub async fn digits(Keys { id, digits }: Keys, context: &Context) -> Result<(), Failure> {
    tell(&id, "digits", &json!({ "digits": digits }), "The keys are on their way.", context).await
}

pub async fn answer(args: Answered, context: &Context) -> Result<(), Failure> {
    let body = json!({ "answer": args.answer.join(" "), "question_id": args.question });
    tell(&args.id, "answer", &body, "The voice has the answer.", context).await
}

pub async fn bridge(args: Bridged, context: &Context) -> Result<(), Failure> {
    let mut body = json!({});
    if args.straight {
        body["warm_greeting"] = false.into();
    }
    let kept = State::load(&context.env).phone().filter(|_| args.number.is_none());
    if let Some(number) = args.number {
        body["bridge_number"] = number.into();
    }
    let done = "The user is called.";
    match (tell(&args.id, "bridge", &body, done, context).await, kept) {
        // What the call was placed with comes first; this is for one that was placed with none.
        (Err(Failure::Refused { code, .. }), Some(kept)) if code == "missing_fields" => {
            body["bridge_number"] = kept.into();
            tell(&args.id, "bridge", &body, done, context).await
        }
        (told, _) => told,
    }
}

async fn tell(
    id: &str,
    what: &str,
    body: &serde_json::Value,
    done: &str,
    context: &Context,
) -> Result<(), Failure> {
    let answer = Client::new(context)?.post(&format!("/call/{id}/{what}"), body).await?;
    if context.json {
        println!("{answer}")
    } else {
        println!("{done}")
    }
    Ok(())
}
