//! `offhook account`: works on the store itself, so it needs no key of its own.

use std::time::Duration;

use offhook_core::{OwnerId, PhoneNumber};
use offhook_store::{OwnerRow, PhoneRow, Store};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{Context, Failure, failed};
use crate::admission::limits;
use crate::clock;
use crate::config::Config;
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
    /// Confirm a phone of the user's own, where a live handoff goes that names no number
    Phone {
        /// From `offhook account list`
        id: OwnerId,
        /// In E.164, e.g. +13125550163
        number: PhoneNumber,
        /// Of several the one that is called
        #[arg(long)]
        primary: bool,
        /// It is the user's no more
        #[arg(long, conflicts_with = "primary")]
        remove: bool,
    },
    /// Set whom the voice calls for an account (`make_voice_call`, `/call`), and keys that are bound may have called
    Target {
        /// From `offhook account list`
        id: OwnerId,
        /// In E.164, e.g. +13125550163
        #[arg(required_unless_present = "remove")]
        number: Option<PhoneNumber>,
        /// It has none of its own
        #[arg(long, conflicts_with = "number")]
        remove: bool,
    },
    /// Clear the PIN of an account whose user forgot it; they set another with `offhook pin --set`
    ClearPin {
        /// From `offhook account list`
        id: OwnerId,
    },
    /// Make one of our lines an account's: calls to it are answered as the account says, and are the account's
    Reserve {
        /// From `offhook account list`
        id: OwnerId,
        /// A `line[].number` of the configuration
        number: PhoneNumber,
    },
    /// Give a reserved line back to all
    Release { number: PhoneNumber },
    /// Show an account: its limits, balance, phones and lines
    Show {
        /// From `offhook account list`
        id: OwnerId,
    },
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
    /// No limit of conversation or money, whatever is configured for the others
    #[arg(long, conflicts_with_all = ["minutes_per_day", "spend_per_day", "balance_minutes"])]
    unlimited: bool,
    /// Minutes of conversation that are paid for and left from now on; they don't come back
    #[arg(long, value_name = "N")]
    balance_minutes: Option<u32>,
}

impl Limits {
    fn fields(&self) -> Map<String, Value> {
        let fields = [
            ("minutes_per_day", json!(self.minutes_per_day)),
            ("calls_per_day", json!(self.calls_per_day)),
            ("spend_per_day", json!(self.spend_per_day)),
            ("concurrent_calls", json!(self.concurrent_calls)),
            ("talk_limit_seconds", json!(self.talk_limit_seconds)),
            ("unlimited", json!(self.unlimited.then_some(true))),
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
        Command::Phone { id, number, primary, remove } => {
            vec![phone(&store, id, &number, primary, remove).await?]
        }
        Command::ClearPin { id } => {
            store.set_pin(id, None).await.map_err(failed)?;
            vec![("no PIN is set".to_owned(), json!({ "id": id.to_string(), "set": false }))]
        }
        Command::Target { id, number, remove: _ } => {
            let number = number.as_ref().map(PhoneNumber::as_e164);
            if !store.set_voice_target(id, number).await.map_err(failed)? {
                return Err(unknown(id));
            }
            let text = number.map_or_else(|| "none".to_owned(), str::to_owned);
            vec![(text, json!({"id": id.to_string(), "voice_target": number}))]
        }
        Command::Reserve { id, number } => {
            let reserved = reserve(&store, id, &number).await?;
            warn_of_a_stranger(context, &number);
            vec![reserved]
        }
        Command::Release { number } => vec![release(&store, &number).await?],
        Command::Show { id } => vec![show(&store, id).await?],
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
    let balance = limits.balance_minutes.map(|minutes| 60_000 * u64::from(minutes));
    store.set_balance(limits.id, balance, clock::now()).await.map_err(failed)?;
    let mut text = written.map_or_else(|| "as configured".to_owned(), str::to_owned);
    if let Some(minutes) = limits.balance_minutes {
        text.push_str(&format!("; {minutes} minutes are left"));
    }
    let shown = json!({
        "id": limits.id.to_string(), "limits": json, "balance_minutes": limits.balance_minutes,
    });
    Ok((text, shown))
}

async fn phone(
    store: &Store,
    id: OwnerId,
    number: &PhoneNumber,
    primary: bool,
    remove: bool,
) -> Result<(String, Value), Failure> {
    if remove {
        if !store.remove_phone(id, number.as_e164()).await.map_err(failed)? {
            return Err(Failure::Failed(format!(
                "this is no phone of {id}; see `offhook account show {id}`"
            )));
        }
    } else {
        let new = PhoneRow { number: number.as_e164().to_owned(), primary, confirmed_at: clock::now() };
        if !store.add_phone(id, &new).await.map_err(failed)? {
            return Err(unknown(id));
        }
    }
    let phones = store.phones(id).await.map_err(failed)?;
    let text = phones.iter().map(phone_text).collect::<Vec<_>>().join("\n");
    let text = if text.is_empty() { "none".to_owned() } else { text };
    Ok((text, json!({"id": id.to_string(), "phones": phones.iter().map(phone_json).collect::<Vec<_>>()})))
}

async fn reserve(store: &Store, id: OwnerId, number: &PhoneNumber) -> Result<(String, Value), Failure> {
    let line = store.reserve(number.as_e164(), id, clock::now()).await.map_err(failed)?;
    let shown = json!({"id": line, "number": number.as_e164(), "account": id.to_string()});
    Ok((format!("{} is reserved for {id}", number.as_e164()), shown))
}

/// A line that is none of ours may become one; a slip of the finger does not. A configuration that can't be read says
/// nothing: the command works without the secrets of the server.
fn warn_of_a_stranger(context: &Context, number: &PhoneNumber) {
    let Ok((config, _)) = Config::load(context.config_file.as_deref(), &context.env) else { return };
    let Some(sip) = config.sip else { return };
    if sip.lines.iter().all(|line| line.number != *number) {
        eprintln!("offhook: {} is no line[].number of the configuration yet", number.as_e164());
    }
}

async fn release(store: &Store, number: &PhoneNumber) -> Result<(String, Value), Failure> {
    let Some(owner) = store.release(number.as_e164()).await.map_err(failed)? else {
        return Err(Failure::Failed("this line is nobody's; see `offhook account show`".to_owned()));
    };
    let shown = json!({"number": number.as_e164(), "account": owner.to_string()});
    Ok((format!("{} was released", number.as_e164()), shown))
}

async fn show(store: &Store, id: OwnerId) -> Result<(String, Value), Failure> {
    let owner = store.owner(id).await.map_err(failed)?.ok_or_else(|| unknown(id))?;
    let phones = store.phones(id).await.map_err(failed)?;
    let target = store.voice_target(id).await.map_err(failed)?;
    let lines = store.reserved_lines().await.map_err(failed)?;
    let lines: Vec<String> =
        lines.into_iter().filter(|line| line.owner == id).map(|line| line.number).collect();
    let left = match owner.balance {
        Some(balance) => {
            let used = store.used_since(id, balance.at, &[]).await.map_err(failed)? + balance.erased_ms;
            Some(Duration::from_millis(balance.left_ms.saturating_sub(used)).as_secs())
        }
        None => None,
    };
    let mut text = vec![row(&owner)];
    text.extend(left.map(|seconds| format!("balance  {} minutes", seconds / 60)));
    text.extend(phones.iter().map(|phone| format!("phone    {}", phone_text(phone))));
    text.extend(target.iter().map(|number| format!("target   {number}")));
    text.extend(lines.iter().map(|number| format!("line     {number}")));
    let mut shown = line(&owner);
    shown["balance_seconds"] = json!(left);
    shown["phones"] = phones.iter().map(phone_json).collect();
    shown["voice_target"] = json!(target);
    shown["lines"] = json!(lines);
    Ok((text.join("\n"), shown))
}

fn phone_text(phone: &PhoneRow) -> String {
    format!("{}{}", phone.number, if phone.primary { "  primary" } else { "" })
}

fn phone_json(phone: &PhoneRow) -> Value {
    json!({"number": phone.number, "primary": phone.primary})
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
