//! `offhook acs`: what the other side needs to know, and what is known of it. Works on this machine's own data.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Context, Failure, failed};
use crate::app::private_dir;
use crate::config::{Acs, Config};
use crate::gateway::Secret;
use crate::http::acs::INCOMING;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print the address that a subscription of Event Grid for incoming calls goes to; it holds a secret
    IncomingUrl {
        /// Where the doors are reached, when a tunnel says so and not the configuration
        #[arg(long, value_name = "URL")]
        public_url: Option<String>,
    },
    /// Forget for whom tokens of callbacks are, so that the next callback of a call says so
    ForgetAudience,
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let (config, _) = Config::load(context.config_file.as_deref(), &context.env)?;
    let missing =
        || failed("no resource of Azure Communication Services is configured; see docs/carriers/acs.md");
    let acs = config.acs.clone().ok_or_else(missing)?;
    match command {
        Command::IncomingUrl { public_url } => {
            let url = incoming_url(&config, &acs, public_url)?;
            println!("{}", if context.json { json!({ "url": url }).to_string() } else { url });
        }
        Command::ForgetAudience => {
            let (_, store) = context.store().await?;
            let known = store.forget_acs_audience(acs.resource()).await.map_err(failed)?;
            store.close().await;
            let told = if known { "forgotten" } else { "none was known" };
            let shown = json!({ "forgotten": known });
            println!("{}", if context.json { shown.to_string() } else { told.to_owned() });
            if acs.callbacks.audience.is_some() {
                eprintln!("offhook: carrier.acs.audience is set, which counts alone");
            }
        }
    }
    Ok(())
}

pub fn incoming_url(config: &Config, acs: &Acs, named: Option<String>) -> Result<String, Failure> {
    let base = named.or_else(|| acs.public_url.clone()).ok_or_else(|| {
        failed("the address of the tunnel changes: name it with --public-url; `offhook doctor` shows the present one")
    })?;
    let base = base.trim_end_matches('/');
    let token = match (&acs.incoming.token, &acs.incoming.entra) {
        (Some(token), _) => token.clone(),
        // The token in the header is enough.
        (None, Some(_)) => return Ok(format!("{base}{INCOMING}")),
        (None, None) => {
            let made = private_dir(&config.data_dir);
            let secret = made.and_then(|()| Secret::load_or_create(&config.data_dir.join("secret")));
            secret
                .map_err(|why| failed(format!("the secret in data_dir can't be read: {why}")))?
                .incoming_token()
        }
    };
    let url =
        reqwest::Url::parse_with_params(&format!("{base}{INCOMING}"), [("token", token.expose_secret())]);
    url.map(String::from).map_err(|why| failed(format!("{base} is no address: {why}")))
}
