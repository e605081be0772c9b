//! `me`, `balance`, `link`: whose key it is, and what is left to it.

use serde_json::{Value, json};

use super::client::Client;
use super::{Context, Failure};

pub async fn account(context: &Context) -> Result<(), Failure> {
    let account = Client::new(context)?.get("/me").await?;
    if context.json {
        println!("{account}");
        return Ok(());
    }
    println!("Account     {}", text(&account["userId"]));
    println!("E-mail      {}", text(&account["email"]));
    println!("Tier        {}", text(&account["tier"]));
    println!("Left        {}", left(&account["unlimited"], &account["balanceSeconds"]));
    for phone in account["phones"].as_array().into_iter().flatten() {
        let primary = if phone["primary"] == true { " (primary)" } else { "" };
        println!("Phone       {}{primary}", text(&phone["number"]));
    }
    Ok(())
}

pub async fn balance(context: &Context) -> Result<(), Failure> {
    let balance = Client::new(context)?.get("/balance").await?;
    if context.json {
        println!("{balance}");
        return Ok(());
    }
    println!("Tier        {}", text(&balance["tier"]));
    println!("Left        {}", left(&balance["unlimited"], &balance["balance_seconds"]));
    if let Some(calls) = balance["trial"]["remainingCalls"].as_u64() {
        println!("Trial       {calls} calls, {} s", balance["trial"]["remainingSeconds"]);
    }
    let today = &balance["today"];
    if today.is_object() {
        let of = |limit: &Value| match limit {
            Value::Null => String::new(),
            limit => format!(" of {}", limit.as_str().map_or_else(|| limit.to_string(), str::to_owned)),
        };
        let limits = &today["limits"];
        println!("Last 24 h   {}{} calls", today["calls"], of(&limits["calls"]));
        println!("            {}{} s of conversation", today["talk_seconds"], of(&limits["talk_seconds"]));
        println!("            {}{} spent", text(&today["spend"]), of(&limits["spend"]));
    }
    Ok(())
}

/// Made here, of the saved key: nothing is asked for.
pub fn link(context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let front = context.env.get("CLAWCALL_FRONTEND_URL").map(|url| url.trim_end_matches('/'));
    let key = client.state().key().ok_or_else(|| {
        Failure::Failed(
            "there is no key yet; the first call gets one, where the server gives keys away".to_owned(),
        )
    })?;
    let url = format!("{}/sign-up?token={key}", front.unwrap_or_else(|| client.url()));
    if context.json {
        println!("{}", json!({ "url": url }));
    } else {
        println!("{url}");
    }
    Ok(())
}

fn left(unlimited: &Value, seconds: &Value) -> String {
    match seconds.as_u64() {
        Some(seconds) if unlimited != true => format!("{seconds} s"),
        _ => "no limit".to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
