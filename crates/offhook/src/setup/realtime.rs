//! The speech model: a Realtime deployment of Azure OpenAI, or of OpenAI itself; tried by a spoken round trip.

use offhook_speech::openai::{Auth, Config as OpenAi};
use offhook_speech::{Model, openai};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::az::{Az, AzError};
use super::file::{Draft, keep_secret};
use super::made::{Kind, Thing};
use super::round_trip::round_trip;
use super::{Setup, SetupError};
use crate::clock;

/// What is made where nothing else is said: the cheapest model for telephones, paid for by use.
pub const MODEL: &str = "gpt-realtime-mini";
const VERSION: &str = "2025-10-06";
const SKU: &str = "GlobalStandard";
pub const LOCATION: &str = "swedencentral";
pub const GROUP: &str = "offhook-voice";
const OPENAI: &str = "https://api.openai.com/v1";

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub endpoint: Option<String>,
    pub deployment: Option<String>,
    /// Where the key is kept already; asked for when absent.
    pub key_file: Option<std::path::PathBuf>,
    /// Make a resource and a deployment, whatever there is.
    pub create: bool,
    /// Which there is.
    pub resource: Option<String>,
    pub group: Option<String>,
    pub location: Option<String>,
    /// Don't have the model speak.
    pub no_test: bool,
}

/// A deployment, and the key for it.
struct Found {
    base_url: String,
    key: SecretString,
    deployment: String,
}

impl Setup {
    pub async fn realtime(&mut self, wish: &Wish) -> Result<(), SetupError> {
        let Some(found) = self.find_realtime(wish).await? else {
            self.ask.say("Nothing was made or written: this was a dry run.");
            return Ok(());
        };
        let is_azure = found.base_url.trim_end_matches('/') != OPENAI;
        let auth = if is_azure { Auth::ApiKey(found.key.clone()) } else { Auth::Bearer(found.key.clone()) };
        if wish.no_test {
            self.ask.say("The deployment is not tried.");
        } else {
            let config = OpenAi::new(found.base_url.clone(), auth, found.deployment.clone());
            self.try_realtime(config).await?;
        }
        let mut draft = Draft::open(&self.file)?;
        draft.set("speech", "model", "openai-realtime");
        draft.set("speech.openai", "base_url", &found.base_url);
        draft.set("speech.openai", "auth", if is_azure { "api-key" } else { "bearer" });
        draft.set("speech.openai", "model", &found.deployment);
        self.write(draft, "speech.openai", "api_key", "realtime-key", &found.key)
    }

    /// The model says a sentence, and must understand it.
    async fn try_realtime(&self, config: OpenAi) -> Result<(), SetupError> {
        let model = openai::OpenAi::new(config).map_err(|error| SetupError::Check(error.to_string()))?;
        let model = Model::OpenAi(model);
        let checked = model.check().await.map_err(|error| SetupError::Check(error.to_string()))?;
        self.ask.say(&format!("{} answers. It is asked to speak, and to listen to itself …", checked.what));
        let trip = round_trip(&model).await.map_err(|error| SetupError::Check(error.to_string()))?;
        let ms = trip.spoke_after.as_millis();
        self.ask.say(&format!("It said {:?} after {ms} ms, and understood {:?}.", trip.said, trip.heard));
        Ok(())
    }

    /// Keeps the secret and adds to the configuration, where offhook would start with it.
    pub(super) fn write(
        &self,
        mut draft: Draft,
        section: &str,
        key: &str,
        name: &str,
        secret: &SecretString,
    ) -> Result<(), SetupError> {
        // The reference is checked with the secret in its place.
        let kept = self.secrets().join(name);
        draft.set(section, key, &format!("file:{}", kept.display()));
        self.ask.say(&format!("\nThis becomes of {}:\n\n{}", self.file.display(), draft.text()));
        if self.dry_run {
            self.ask.say("Nothing was written: this was a dry run.");
            return Ok(());
        }
        if !self.ask.confirm("Write it?")? {
            return Err(SetupError::Declined);
        }
        let before = std::fs::read(&kept).ok();
        keep_secret(&self.secrets(), name, secret.expose_secret())?;
        if let Err(error) = draft.check(&self.env) {
            // As it was: the running configuration may refer to it.
            match before {
                Some(before) => super::file::replace(&kept, &before, 0o600)?,
                None => drop(std::fs::remove_file(&kept)),
            }
            return Err(error);
        }
        let now = clock::iso(clock::now()).replace([':', '-'], "");
        let backup = draft.save(&now)?;
        self.ask.say(&format!("Written: {}", self.file.display()));
        if let Some(backup) = backup {
            self.ask.say(&format!("What was there is in {}", backup.display()));
        }
        self.ask.say("`offhook doctor` says whether all is well; a running offhook is to be started again.");
        Ok(())
    }

    async fn find_realtime(&mut self, wish: &Wish) -> Result<Option<Found>, SetupError> {
        let named =
            wish.endpoint.clone().or_else(|| self.env.get("AZURE_OPENAI_ENDPOINT").map(str::to_owned));
        if let Some(endpoint) = named.filter(|_| !wish.create && wish.resource.is_none()) {
            return self.named_realtime(wish, &endpoint).map(Some);
        }
        match self.az().await {
            Some(az) => self.azure_realtime(wish, &az).await,
            None if wish.create || wish.resource.is_some() => Err(SetupError::Check(NO_AZ.to_owned())),
            None => {
                let question = "Where is the Realtime API? An endpoint of Azure (https://NAME.openai.azure.com), or \
                                https://api.openai.com/v1";
                let endpoint = self.ask.text(question, None, "--endpoint")?;
                self.named_realtime(wish, &endpoint).map(Some)
            }
        }
    }

    /// What was named, and what is missing of it asked for.
    fn named_realtime(&self, wish: &Wish, endpoint: &str) -> Result<Found, SetupError> {
        let is_azure = !endpoint.contains("api.openai.com");
        let base_url =
            if is_azure { azure_base(endpoint) } else { endpoint.trim_end_matches('/').to_owned() };
        let variable = if is_azure { "AZURE_OPENAI_API_KEY" } else { "OPENAI_API_KEY" };
        let key = match (&wish.key_file, self.env.get(variable)) {
            (Some(file), _) => super::read_secret(file)?,
            (None, Some(key)) => key.to_owned().into(),
            (None, None) => self.ask.secret("Its API key", "--key-file")?,
        };
        let deployment = wish.deployment.clone();
        let deployment =
            deployment.or_else(|| self.env.get("AZURE_OPENAI_REALTIME_DEPLOYMENT").map(str::to_owned));
        let deployment = match deployment {
            Some(deployment) => deployment,
            None => {
                let question = if is_azure { "The name of the deployment" } else { "The model" };
                self.ask.text(question, Some(if is_azure { MODEL } else { OpenAi::MODEL }), "--deployment")?
            }
        };
        Ok(Found { base_url, key, deployment })
    }

    /// A resource of the subscription, or a new one.
    async fn azure_realtime(&mut self, wish: &Wish, az: &Az) -> Result<Option<Found>, SetupError> {
        let accounts = match wish.create {
            true => Vec::new(),
            false => {
                let listed = az.look(self.ask, &["cognitiveservices", "account", "list"]).await?;
                let speaks =
                    |account: &&Value| matches!(account["kind"].as_str(), Some("OpenAI" | "AIServices"));
                listed.as_array().into_iter().flatten().filter(speaks).cloned().collect()
            }
        };
        let accounts = named(accounts, wish.resource.as_deref())?;
        let mut choices: Vec<String> = accounts.iter().map(described).collect();
        choices.extend(wish.resource.is_none().then(|| "a new one".to_owned()));
        let chosen = self.ask.choose("Which resource?", &choices, "--resource or --create")?;
        let (name, group) = match accounts.get(chosen) {
            Some(account) => (text(account, "name"), text(account, "resourceGroup")),
            None => self.new_account(wish, az).await?,
        };
        let deployment = self.deployment(wish, az, (&name, &group), chosen < accounts.len()).await?;
        if self.dry_run && chosen >= accounts.len() {
            return Ok(None);
        }
        let at = ["--name", &name, "--resource-group", &group];
        let account =
            az.look(self.ask, &[&["cognitiveservices", "account", "show"][..], &at].concat()).await?;
        let keys = [&["cognitiveservices", "account", "keys", "list"][..], &at].concat();
        let keys = az.look(self.ask, &keys).await?;
        let (endpoint, key) = (text(&account["properties"], "endpoint"), text(&keys, "key1"));
        if endpoint.is_empty() || key.is_empty() {
            return Err(SetupError::Check(format!(
                "az tells neither endpoint nor key of {name}; name them with --endpoint and --key-file"
            )));
        }
        Ok(Some(Found { base_url: azure_base(&endpoint), key: key.into(), deployment }))
    }

    async fn new_account(&mut self, wish: &Wish, az: &Az) -> Result<(String, String), SetupError> {
        let location = wish.location.clone().unwrap_or_else(|| LOCATION.to_owned());
        let group = self.group(az, wish.group.as_deref(), &location).await?;
        let name = format!("offhook-aoai-{}", self.made.suffix());
        let thing = Thing {
            kind: Kind::OpenAi,
            name: name.clone(),
            subscription: az.subscription().to_owned(),
            group: group.clone(),
            within: None,
            begun: false,
        };
        let tag = self.made.tag();
        let args = [
            "cognitiveservices",
            "account",
            "create",
            "--name",
            &name,
            "--resource-group",
            &group,
            "--kind",
            "OpenAI",
            "--sku",
            "S0",
            "--location",
            &location,
            "--custom-domain",
            &name,
            "--tags",
            &tag,
            "--yes",
        ];
        self.make(az, &thing, &args).await?;
        Ok((name, group))
    }

    /// A Realtime deployment of a resource, or a new one.
    async fn deployment(
        &mut self,
        wish: &Wish,
        az: &Az,
        (account, group): (&str, &str),
        is_there: bool,
    ) -> Result<String, SetupError> {
        let at = ["--name", account, "--resource-group", group];
        let list = [&["cognitiveservices", "account", "deployment", "list"][..], &at].concat();
        let listed = match az.look(self.ask, &list).await {
            // It is to be made, and this is a dry run.
            Err(error) if self.dry_run && !is_there && error.is_not_found() => Value::Null,
            listed => listed?,
        };
        let listed = listed.as_array().map_or(&[][..], Vec::as_slice);
        if is_there && let Some(name) = self.known_deployment(wish, listed)? {
            return Ok(name);
        }
        let usual = [MODEL.to_owned(), format!("{MODEL}-{}", self.made.suffix())];
        for name in wish.deployment.as_ref().map_or(&usual[..], std::slice::from_ref) {
            let thing = Thing {
                kind: Kind::Deployment,
                name: name.clone(),
                subscription: az.subscription().to_owned(),
                group: group.to_owned(),
                within: Some(account.to_owned()),
                begun: false,
            };
            let taken = listed.iter().any(|found| text(found, "name").eq_ignore_ascii_case(name));
            match self.made.known(&thing) {
                Some(ours) if taken && !ours.begun && !is_there => return Ok(name.clone()),
                // To make it would replace the model of somebody else's.
                known if taken && known.is_none_or(|ours| !ours.begun) => {}
                _ => return self.new_deployment(az, &thing, &at).await,
            }
        }
        let taken = wish.deployment.as_deref().unwrap_or(MODEL);
        Err(SetupError::Check(format!(
            "{account} has another deployment {taken} already, which stays as it is; name a new one with --deployment"
        )))
    }

    /// One that is there, named or chosen; `None` for a new one.
    fn known_deployment(&self, wish: &Wish, listed: &[Value]) -> Result<Option<String>, SetupError> {
        let speaks = |deployment: &&Value| {
            deployment["properties"]["model"]["name"].as_str().is_some_and(|model| model.contains("realtime"))
        };
        let known: Vec<String> = listed.iter().filter(speaks).map(|found| text(found, "name")).collect();
        if let Some(wanted) = &wish.deployment {
            return Ok(known.into_iter().find(|name| name.eq_ignore_ascii_case(wanted)));
        }
        if known.is_empty() {
            return Ok(None);
        }
        let choices: Vec<String> = known.iter().cloned().chain([format!("a new one, of {MODEL}")]).collect();
        let chosen = self.ask.choose("Which deployment?", &choices, "--deployment")?;
        Ok(known.get(chosen).cloned())
    }

    async fn new_deployment(&mut self, az: &Az, thing: &Thing, at: &[&str]) -> Result<String, SetupError> {
        let args = [
            &["cognitiveservices", "account", "deployment", "create"][..],
            at,
            &["--deployment-name", &thing.name, "--model-name", MODEL, "--model-version", VERSION],
            &["--model-format", "OpenAI", "--sku-name", SKU, "--sku-capacity", "1"],
        ];
        self.make(az, thing, &args.concat()).await?;
        Ok(thing.name.clone())
    }

    /// The group new things go to, made where there is none of that name.
    pub(super) async fn group(
        &mut self,
        az: &Az,
        named: Option<&str>,
        location: &str,
    ) -> Result<String, SetupError> {
        let group = named.unwrap_or(GROUP).to_owned();
        match az.look(self.ask, &["group", "show", "--name", &group]).await {
            Ok(_) => return Ok(group),
            Err(error @ AzError::Failed { .. }) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let thing = Thing {
            kind: Kind::Group,
            name: group.clone(),
            subscription: az.subscription().to_owned(),
            group: group.clone(),
            within: None,
            begun: false,
        };
        let tag = self.made.tag();
        self.make(az, &thing, &["group", "create", "--name", &group, "--location", location, "--tags", &tag])
            .await?;
        Ok(group)
    }

    /// Makes one thing, and writes it down before and after.
    pub(super) async fn make(&mut self, az: &Az, thing: &Thing, args: &[&str]) -> Result<Value, SetupError> {
        if !self.dry_run {
            self.made.begin(thing)?;
        }
        match az.change(self.ask, args).await {
            Ok(Some(made)) => {
                self.made.done(thing)?;
                Ok(made)
            }
            Ok(None) => Ok(Value::Null),
            Err(error) => {
                // Declined, it was never begun.
                if matches!(error, SetupError::Declined | SetupError::NoInput) {
                    self.made.forget(thing)?;
                }
                Err(error)
            }
        }
    }
}

pub(super) const NO_AZ: &str = "\
creating resources needs the az program, signed in (`az login`); install it, or give what there is";

/// The one of this name, or all.
pub(super) fn named(resources: Vec<Value>, name: Option<&str>) -> Result<Vec<Value>, SetupError> {
    let Some(name) = name else { return Ok(resources) };
    let found: Vec<Value> = resources.into_iter().filter(|found| text(found, "name") == name).collect();
    match found.is_empty() {
        true => Err(SetupError::Check(format!("the subscription has no such resource as {name}"))),
        false => Ok(found),
    }
}

pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn described(account: &Value) -> String {
    format!("{} in {} ({})", text(account, "name"), text(account, "resourceGroup"), text(account, "location"))
}

/// Where the Realtime API of a resource is.
fn azure_base(endpoint: &str) -> String {
    crate::config::azure_base_url(endpoint)
}
