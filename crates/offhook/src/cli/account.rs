//! `offhook account`: works on the store itself, so it needs no key of its own.

use offhook_core::OwnerId;
use offhook_store::{OwnerRow, Store};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{Context, Failure, failed};
use crate::admission::limits;
use crate::gateway::linking;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an account, to link keys to that were given out on a first call
    Create {
        /// Shown to the agent in `GET /me`
        #[arg(long)]
        email: Option<String>,
    },
    /// List accounts and other owners of keys, with their limits
    List,
    /// Print a code with which somebody links a key to an account, once and within a week
    Code {
        /// From `offhook account list`
        id: OwnerId,
    },
    /// Set the limits of an account; what is left out is as configured
    Limits(Limits),
}

#[derive(Debug, clap::Args)]
pub struct Limits {
    /// From `offhook account list`
    id: OwnerId,
    /// Minutes of conversation in any 24 hours
    #[arg(long, value_name = "N")]
    minutes_per_day: Option<u32>,
    /// Calls in any 24 hours
    #[arg(long, value_name = "N")]
    calls_per_day: Option<u32>,
    /// What they may cost in any 24 hours, e.g. 5.00
    #[arg(long, value_name = "SUM")]
    spend_per_day: Option<String>,
    /// Calls at the same time
    #[arg(long, value_name = "N")]
    concurrent_calls: Option<u32>,
    /// The longest conversation
    #[arg(long, value_name = "N")]
    talk_limit_seconds: Option<u32>,
}

impl Limits {
    fn fields(&self) -> Map<String, Value> {
        let fields = [
            ("minutes_per_day", json!(self.minutes_per_day)),
            ("calls_per_day", json!(self.calls_per_day)),
            ("spend_per_day", json!(self.spend_per_day)),
            ("concurrent_calls", json!(self.concurrent_calls)),
            ("talk_limit_seconds", json!(self.talk_limit_seconds)),
        ];
        let set = fields.into_iter().filter(|(_, value)| !value.is_null());
        set.map(|(field, value)| (field.to_owned(), value)).collect()
    }
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let shown = match command {
        Command::Create { email } => {
            let owner = linking::create_account(&store, email.as_deref()).await.map_err(failed)?;
            vec![(owner.to_string(), json!({"id": owner.to_string()}))]
        }
        Command::List => {
            let owners = store.owners().await.map_err(failed)?;
            owners.iter().map(|owner| (row(owner), line(owner))).collect()
        }
        Command::Code { id } => {
            let code = linking::create_code(&store, id).await.map_err(failed)?.ok_or_else(|| unknown(id))?;
            let code = code.expose_secret();
            vec![(code.to_owned(), json!({"code": code}))]
        }
        Command::Limits(limits) => vec![set_limits(&store, &limits).await?],
    };
    store.close().await;
    for (text, json) in shown {
        println!("{}", if context.json { json.to_string() } else { text });
    }
    Ok(())
}

async fn set_limits(store: &Store, limits: &Limits) -> Result<(String, Value), Failure> {
    let fields = limits.fields();
    limits::parse(&fields).map_err(failed)?;
    let json = Value::from(fields);
    let written = json.to_string();
    let none = json.as_object().is_none_or(Map::is_empty);
    let written = (!none).then_some(written.as_str());
    if !store.set_limits(limits.id, written).await.map_err(failed)? {
        return Err(unknown(limits.id));
    }
    let text = written.map_or_else(|| "as configured".to_owned(), str::to_owned);
    Ok((text, json!({"id": limits.id.to_string(), "limits": json})))
}

fn unknown(id: OwnerId) -> Failure {
    Failure::Failed(format!("there is no account {id}; see `offhook account list`"))
}

fn row(owner: &OwnerRow) -> String {
    let email = owner.email.as_deref().unwrap_or_default();
    format!("{}  {email:<32} {}", owner.id, owner.limits.as_deref().unwrap_or_default()).trim_end().to_owned()
}

fn line(owner: &OwnerRow) -> Value {
    let limits: Option<Value> = owner.limits.as_deref().and_then(|limits| serde_json::from_str(limits).ok());
    json!({"id": owner.id.to_string(), "email": owner.email, "limits": limits})
}
