//! `offhook key`: works on the store itself, so it needs no key of its own.

use offhook_core::{OwnerId, PhoneNumber};
use offhook_store::KeyKind;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Context, Failure, failed};
use crate::clock::iso;
use crate::config::Config;
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
        /// It has its target called and nobody else, by whatever route: for an agent that is to call you and only you
        #[arg(long, conflicts_with = "admin")]
        voice_only: bool,
        /// The target, in E.164; otherwise set later with `offhook phone` and another key of the account
        #[arg(long, value_name = "NUMBER", requires = "voice_only")]
        target: Option<PhoneNumber>,
        /// A further key of this account, from `offhook account list`; a new account of its own when absent
        #[arg(long, value_name = "ID", conflicts_with = "admin")]
        account: Option<OwnerId>,
    },
    /// List keys; the keys themselves are stored nowhere
    List,
    /// Make another key in the place of one, for the same account, and print it, once
    Rotate {
        /// From `offhook key list`
        id: String,
    },
    /// Bind a key to the voice target of its account, so that nobody else is called for it; or free it again
    Bind {
        /// From `offhook key list`
        id: String,
        /// It may have anybody called again
        #[arg(long)]
        free: bool,
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
        Command::Create { label, admin, voice_only, target, account } => {
            let kind = match (admin, voice_only) {
                (true, _) => KeyKind::Admin,
                (_, true) => KeyKind::Voice,
                _ => KeyKind::Owner,
            };
            if let Some(account) = account
                && store.owner(account).await.map_err(failed)?.is_none()
            {
                return Err(failed(format!("there is no account {account}; see `offhook account list`")));
            }
            let (owner, key) = keys::create_for(&store, account, label, kind).await.map_err(failed)?;
            if let Some(target) = target {
                store.set_voice_target(owner, Some(target.as_e164())).await.map_err(failed)?;
            }
            if voice_only {
                warn_of_other_ways(context);
            }
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
        Command::Bind { id, free } => {
            if !keys::bind(&store, &id, !free).await.map_err(failed)? {
                return Err(failed(format!(
                    "there is no key {id} of an account that could be bound; see `offhook key list`"
                )));
            }
            let (shown, told) =
                (json!({"id": id, "voice_only": !free}), if free { "freed" } else { "bound" });
            println!("{}", if context.json { shown.to_string() } else { told.to_owned() });
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

/// A key that is bound keeps nobody from asking without one.
fn warn_of_other_ways(context: &Context) {
    let Ok((config, _)) = Config::load(context.config_file.as_deref(), &context.env) else { return };
    if config.allow_anonymous_keys {
        eprintln!(
            "offhook: this server still gives a key to whoever calls without one, and such a key may have anybody \
             called; set allow_anonymous_keys = false"
        );
    }
}

fn row(key: &KeyView) -> String {
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), iso);
    let label = key.label.as_deref().unwrap_or_default();
    let kind = match (key.admin, key.voice_only) {
        (true, _) => "admin",
        (_, true) => "voice",
        _ => "",
    };
    let state = if key.revoked_at.is_some() { "revoked" } else { "" };
    format!("{}  {used:<24} {label:<24} {kind:<6} {state}", key.id).trim_end().to_owned()
}

fn line(key: &KeyView) -> Value {
    json!({
        "id": key.id, "label": key.label, "admin": key.admin, "revoked": key.revoked_at.is_some(),
        "voice_only": key.voice_only, "last_used_at": key.last_used_at.map(iso),
    })
}
