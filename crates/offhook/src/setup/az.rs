//! The `az` program: every command is shown before it runs, and one that changes something is confirmed first.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::SetupError;
use super::ask::Ask;
use super::realtime::text;
use crate::config::Env;

#[derive(Debug, thiserror::Error)]
pub enum AzError {
    #[error("az could not be run: {0}")]
    Run(std::io::Error),
    #[error("az {command} failed: {why}")]
    Failed { command: String, why: String },
    #[error("what az {command} printed is no JSON")]
    NoJson { command: String },
}

impl AzError {
    /// What was asked for is not there. A subscription nobody can look into says nothing about that.
    pub fn is_not_found(&self) -> bool {
        let missing =
            ["ResourceNotFound", "ResourceGroupNotFound", "was not found", "could not be found", "NotFound"];
        matches!(self, Self::Failed { why, .. }
            if !why.contains("SubscriptionNotFound") && missing.iter().any(|word| why.contains(word)))
    }
}

/// So that answers can be read, and errors alone are said.
const OUTPUT: [&str; 3] = ["--output", "json", "--only-show-errors"];

#[derive(Clone, Debug)]
pub struct Az {
    dry_run: bool,
    /// Named in every command: what `az` works in may change between two of them. Empty before it is known.
    subscription: String,
}

impl Az {
    /// `None` where there is none in the path, or nobody is signed in.
    pub async fn find(ask: Ask, env: &Env, dry_run: bool) -> Option<Self> {
        let mut dirs = std::env::split_paths(env.get("PATH")?);
        dirs.find(|dir| dir.join("az").is_file())?;
        let az = Self { dry_run, subscription: String::new() };
        match az.look(ask, &["account", "show"]).await {
            Ok(account) => {
                let (name, id) = (text(&account, "name"), text(&account, "id"));
                ask.say(&format!("  az works in the subscription {name} ({id})"));
                Some(az.within(&id))
            }
            Err(_) => {
                ask.say("  nobody is signed in, so az is left alone; `az login` changes that");
                None
            }
        }
    }

    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The same in this subscription; in its own where none is named.
    pub fn within(&self, subscription: &str) -> Self {
        let named = if subscription.is_empty() { &self.subscription } else { subscription };
        Self { subscription: named.to_owned(), ..*self }
    }

    /// A command that only reads.
    pub async fn look(&self, ask: Ask, args: &[&str]) -> Result<Value, AzError> {
        ask.say(&format!("$ az {}", shown(&self.whole(args))));
        self.run(args).await
    }

    /// A command that changes something; `None` in a dry run.
    pub async fn change(&self, ask: Ask, args: &[&str]) -> Result<Option<Value>, SetupError> {
        ask.say(&format!("$ az {}", shown(&self.whole(args))));
        if self.dry_run {
            ask.say("  (not run: this is a dry run)");
            return Ok(None);
        }
        if !ask.confirm("Run this?")? {
            return Err(SetupError::Declined);
        }
        Ok(Some(self.run(args).await?))
    }

    /// With what every command ends in.
    fn whole<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let within = ["--subscription", &self.subscription];
        let within = if self.subscription.is_empty() { &[][..] } else { &within };
        [args, within, &OUTPUT].concat()
    }

    async fn run(&self, args: &[&str]) -> Result<Value, AzError> {
        let mut command = Command::new("az");
        command.args(self.whole(args));
        // A question of its own would wait for ever.
        command.env("AZURE_EXTENSION_USE_DYNAMIC_INSTALL", "yes_without_prompt").stdin(Stdio::null());
        let output = command.kill_on_drop(true).output().await.map_err(AzError::Run)?;
        let command =
            args.iter().take_while(|arg| !arg.starts_with('-')).copied().collect::<Vec<_>>().join(" ");
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(AzError::Failed { command, why });
        }
        match output.stdout.trim_ascii() {
            b"" => Ok(Value::Null),
            json => serde_json::from_slice(json).map_err(|_| AzError::NoJson { command }),
        }
    }
}

/// As one would type it; the secret of an address is not shown.
fn shown(args: &[&str]) -> String {
    let quoted = |arg: &&str| {
        let arg = match arg.split_once("token=") {
            Some((before, _)) => format!("{before}token=…"),
            None => (*arg).to_owned(),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
        if !arg.is_empty() && arg.bytes().all(plain) {
            arg
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there() {
        let failed = |why: &str| AzError::Failed { command: "group show".to_owned(), why: why.to_owned() };
        for (why, expected) in [
            ("(ResourceGroupNotFound) Resource group 'offhook-voice' could not be found.", true),
            ("(ResourceNotFound) The Resource 'a' under resource group 'b' was not found.", true),
            ("(SubscriptionNotFound) The subscription 's' could not be found.", false),
            ("(AuthorizationFailed) The client does not have authorization.", false),
        ] {
            assert_eq!(failed(why).is_not_found(), expected, "{why}");
        }
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let args = [
            "communication",
            "create",
            "--data-location",
            "United States",
            "--endpoint",
            "https://a/x?token=s3cret",
        ];
        assert_eq!(
            shown(&args),
            "communication create --data-location 'United States' --endpoint 'https://a/x?token=…'"
        );
    }
}
