//! `offhook doctor`: what is not right yet, and what to do about it.

use serde_json::json;

use super::{Context, Failure};
use crate::doctor;
use crate::gateway::Check;

pub async fn run(context: &Context) -> Result<(), Failure> {
    let checks = match context.config() {
        Ok(config) => doctor::examine(config).await,
        Err(failure) => vec![Check {
            name: "configuration",
            ok: false,
            found: failure.to_string(),
            todo: "mend the keys named above; docs/config.md describes each".to_owned(),
        }],
    };
    for check in &checks {
        if context.json {
            println!(
                "{}",
                json!({"name": check.name, "ok": check.ok, "found": check.found, "todo": check.todo})
            );
        } else {
            println!("{}  {:<14} {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.found);
            if !check.todo.is_empty() {
                println!("      {:<14} → {}", "", check.todo);
            }
        }
    }
    if checks.iter().all(|check| check.ok) { Ok(()) } else { Err(Failure::No) }
}
