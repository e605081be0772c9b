//! `offhook key`: works on the store itself, so it needs no key of its own.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Context, Failure, failed};
use crate::clock::iso;
use crate::gateway::{KeyView, keys};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key and print it, once
    Create {
        /// Whose it is, for the list
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// It sees the calls of every owner
        #[arg(long)]
        admin: bool,
    },
    /// List keys; the keys themselves are stored nowhere
    List,
    /// Make another key in the place of one, for the same account, and print it, once
    Rotate {
        /// From `offhook key list`
        id: String,
    },
    /// Make a key worthless at once
    Revoke {
        /// From `offhook key list`
        id: String,
    },
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    match command {
        Command::Create { label, admin } => {
            let key = keys::create(&store, label, admin).await.map_err(failed)?;
            let key = key.expose_secret();
            if context.json { println!("{}", json!({"api_key": key})) } else { println!("{key}") }
        }
        Command::List => {
            for key in keys::list(&store).await.map_err(failed)? {
                println!("{}", if context.json { line(&key).to_string() } else { row(&key) });
            }
        }
        Command::Rotate { id } => {
            let key = keys::rotate(&store, &id).await.map_err(failed)?;
            let key = key.ok_or_else(|| {
                Failure::Failed(format!("there is no key {id} that could be rotated; see `offhook key list`"))
            })?;
            let key = key.expose_secret();
            if context.json { println!("{}", json!({"api_key": key})) } else { println!("{key}") }
        }
        Command::Revoke { id } => {
            if !keys::revoke(&store, &id).await.map_err(failed)? {
                return Err(Failure::Failed(format!(
                    "there is no key {id} that could be revoked; see `offhook key list`"
                )));
            }
            if context.json {
                println!("{}", json!({"id": id, "revoked": true}))
            } else {
                println!("revoked")
            }
        }
    }
    store.close().await;
    Ok(())
}

fn row(key: &KeyView) -> String {
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), iso);
    let label = key.label.as_deref().unwrap_or_default();
    let kind = if key.admin { "admin" } else { "" };
    let state = if key.revoked_at.is_some() { "revoked" } else { "" };
    format!("{}  {used:<24} {label:<24} {kind:<6} {state}", key.id).trim_end().to_owned()
}

fn line(key: &KeyView) -> Value {
    json!({
        "id": key.id, "label": key.label, "admin": key.admin, "revoked": key.revoked_at.is_some(),
        "last_used_at": key.last_used_at.map(iso),
    })
}
