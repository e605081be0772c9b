//! `offhook mcp`: the tools for an agent that starts this program and speaks to it.

use std::time::Duration;

use super::state::State;
use super::{Context, Failure, failed, serve};
use crate::config::{Env, Log};
use crate::mcp::{There, Tools, Waits};

pub async fn run(context: &Context) -> Result<(), Failure> {
    // Standard output is the protocol's; the log goes to standard error.
    serve::log(&Log { filter: "warn".to_owned(), json: false });
    let url = super::client::server_url(context)?;
    let front = context.env.get("CLAWCALL_FRONTEND_URL").map(str::to_owned);
    let patience =
        Duration::from_millis(number(&context.env, "CLAWCALL_REQUEST_TIMEOUT_MS", 30_000, 1_000, 120_000)?);
    let there = There::new(url, front, State::load(&context.env), patience).map_err(failed)?;
    Tools::there(there, waits(&context.env)?).speak().await.map_err(failed)
}

fn waits(env: &Env) -> Result<Waits, Failure> {
    let usual = number(env, "CLAWCALL_WAIT_DEFAULT", 180, 5, 600)?;
    let most = number(env, "CLAWCALL_WAIT_CEILING", 240, 5, 600)?;
    let (usual, most) = (Duration::from_secs(usual), Duration::from_secs(most));
    Ok(Waits { usual: usual.min(most), most })
}

fn number(env: &Env, name: &str, usual: u64, least: u64, most: u64) -> Result<u64, Failure> {
    let Some(text) = env.get(name) else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Failure::Usage(format!("{name} must be a whole number from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_set_by_the_contract_s_variables() {
        let waits = |vars: [(&str, &str); 1]| {
            let waits = waits(&Env::from(vars)).map_err(|failure| failure.to_string());
            waits.map(|waits| (waits.usual.as_secs(), waits.most.as_secs()))
        };
        for (vars, expected) in [
            (("OTHER", "1"), Ok((180, 240))),
            (("CLAWCALL_WAIT_DEFAULT", "30"), Ok((30, 240))),
            (("CLAWCALL_WAIT_CEILING", "60"), Ok((60, 60))),
            (
                ("CLAWCALL_WAIT_CEILING", "4"),
                Err("CLAWCALL_WAIT_CEILING must be a whole number from 5 to 600".to_owned()),
            ),
        ] {
            assert_eq!(waits([vars]), expected);
        }
    }
}
