//! The telephone network: a resource of Azure Communication Services, one of its numbers, and the address at which it
//! reaches this machine.

use offhook_carrier::acs::{ConnectionString, TRUNK};
use offhook_core::PhoneNumber;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::az::Az;
use super::file::Draft;
use super::made::{Kind, Thing};
use super::numbers::{NumbersError, Owned, owned};
use super::realtime::{LOCATION, NO_AZ, named, text};
use super::{Setup, SetupError, read_secret};
use crate::config::Config;

const DATA: &str = "United States";
/// Where a number is bought; it is done by hand, because it costs money and may need papers.
const PORTAL: &str = "https://portal.azure.com, in the resource: Telephony and SMS, Phone numbers, Get";
const INCOMING_CALL: &str = "Microsoft.Communication.IncomingCall";

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Where the connection string is kept already.
    pub connection_string_file: Option<std::path::PathBuf>,
    pub number: Option<PhoneNumber>,
    pub target: Option<PhoneNumber>,
    pub public_url: Option<String>,
    /// `cloudflared`, `ngrok` or `tailscale`.
    pub tunnel: Option<String>,
    pub create: bool,
    /// Which there is.
    pub resource: Option<String>,
    pub group: Option<String>,
    pub location: Option<String>,
    /// Have calls to the number come in: an Event Grid subscription.
    pub incoming: bool,
    /// Where Event Grid delivers them; what `offhook acs incoming-url` prints.
    pub incoming_url: Option<SecretString>,
}

impl Setup {
    pub async fn acs(&mut self, wish: &Wish) -> Result<(), SetupError> {
        if wish.incoming {
            return self.incoming(wish).await;
        }
        let Some(secret) = self.connection_string(wish).await? else {
            self.ask.say("Nothing was made or written: this was a dry run.");
            return Ok(());
        };
        let resource =
            ConnectionString::parse(&secret).map_err(|error| SetupError::Check(error.to_string()))?;
        let number = self.number(wish, &resource).await?;
        let mut draft = Draft::open(&self.file)?;
        self.address(wish, &mut draft)?;
        draft.add_line(&number, TRUNK);
        if let Some(target) = &wish.target {
            draft.set("voice", "target", target.as_e164());
        }
        self.write(draft, "carrier.acs", "connection_string", "acs-connection-string", &secret)?;
        if !self.dry_run {
            self.ask.say(
                "To have calls to the number come in: start offhook, then `offhook setup acs --incoming`.",
            );
        }
        Ok(())
    }

    async fn connection_string(&mut self, wish: &Wish) -> Result<Option<SecretString>, SetupError> {
        if let Some(file) = &wish.connection_string_file {
            return read_secret(file).map(Some);
        }
        if let Some(text) = self.env.get("ACS_CONNECTION_STRING").filter(|_| !wish.create) {
            return Ok(Some(text.to_owned().into()));
        }
        match self.az().await {
            Some(az) => self.azure_connection(wish, &az).await,
            None if wish.create => Err(SetupError::Check(NO_AZ.to_owned())),
            None => {
                let question = "The connection string of the resource, as its page Keys shows it";
                self.ask.secret(question, "--connection-string-file").map(Some)
            }
        }
    }

    async fn azure_connection(&mut self, wish: &Wish, az: &Az) -> Result<Option<SecretString>, SetupError> {
        let resources: Vec<Value> = match wish.create {
            true => Vec::new(),
            false => {
                let listed = az.look(self.ask, &["communication", "list"]).await?;
                listed.as_array().cloned().unwrap_or_default()
            }
        };
        let resources = named(resources, wish.resource.as_deref())?;
        let described = |found: &Value| format!("{} in {}", text(found, "name"), group_of(found));
        let mut choices: Vec<String> = resources.iter().map(described).collect();
        choices.extend(wish.resource.is_none().then(|| "a new one".to_owned()));
        let chosen = self.ask.choose("Which resource?", &choices, "--resource or --create")?;
        let (name, group) = match resources.get(chosen) {
            Some(found) => (text(found, "name"), group_of(found)),
            None => {
                let made = self.new_resource(wish, az).await?;
                if self.dry_run {
                    return Ok(None);
                }
                made
            }
        };
        let keys = ["communication", "list-key", "--name", &name, "--resource-group", &group];
        let keys = az.look(self.ask, &keys).await?;
        match text(&keys, "primaryConnectionString") {
            none if none.is_empty() => Err(SetupError::Check(format!(
                "az does not tell the connection string of {name}; give it with --connection-string-file"
            ))),
            found => Ok(Some(found.into())),
        }
    }

    async fn new_resource(&mut self, wish: &Wish, az: &Az) -> Result<(String, String), SetupError> {
        let location = wish.location.as_deref().unwrap_or(LOCATION);
        let group = self.group(az, wish.group.as_deref(), location).await?;
        let name = format!("offhook-acs-{}", self.made.suffix());
        let thing = Thing {
            kind: Kind::Communication,
            name: name.clone(),
            subscription: az.subscription().to_owned(),
            group: group.clone(),
            within: None,
            begun: false,
        };
        let tag = self.made.tag();
        let args = [
            "communication",
            "create",
            "--name",
            &name,
            "--resource-group",
            &group,
            "--location",
            "Global",
            "--data-location",
            DATA,
            "--tags",
            &tag,
        ];
        self.make(az, &thing, &args).await?;
        Ok((name, group))
    }

    /// Asks the resource for its numbers, which also shows that the key is good.
    async fn number(&self, wish: &Wish, resource: &ConnectionString) -> Result<PhoneNumber, SetupError> {
        let numbers = match owned(resource).await {
            Ok(numbers) => numbers,
            Err(error @ NumbersError::NotListed { .. }) => {
                self.ask.say(&error.to_string());
                Vec::new()
            }
            Err(error) => return Err(SetupError::Check(error.to_string())),
        };
        self.ask.say(&format!("{} answers; its key is good.", resource.endpoint));
        let named = wish.number.clone().map(Ok);
        let named = named.or_else(|| self.env.get("ACS_SOURCE_NUMBER").map(PhoneNumber::parse));
        if let Some(named) = named {
            let named = named.map_err(|error| SetupError::Check(format!("the number: {error}")))?;
            if !numbers.is_empty() && !numbers.iter().any(|owned| owned.number == named) {
                return Err(SetupError::Check(format!(
                    "{} is no number of this resource; it has: {}",
                    named.as_e164(),
                    numbers.iter().map(|owned| owned.number.as_e164()).collect::<Vec<_>>().join(", ")
                )));
            }
            return Ok(named);
        }
        let calling: Vec<&Owned> = numbers.iter().filter(|owned| owned.calls).collect();
        if calling.is_empty() {
            self.ask.say(&format!(
                "No number that can call is known of this resource. One is bought at {PORTAL}."
            ));
            let typed = self.ask.text("Its number, in E.164", None, "--number")?;
            return PhoneNumber::parse(&typed).map_err(|error| SetupError::Check(error.to_string()));
        }
        let described = |owned: &&Owned| {
            let number = owned.number.as_e164();
            if owned.is_called { number.to_owned() } else { format!("{number} (can't be called)") }
        };
        let choices: Vec<String> = calling.iter().map(described).collect();
        let chosen = self.ask.choose("Which number do calls come from?", &choices, "--number")?;
        let number = calling[chosen].number.clone();
        self.ask.say(&format!("Calls come from {}.", number.as_e164()));
        Ok(number)
    }

    /// How the resource reaches this machine.
    fn address(&self, wish: &Wish, draft: &mut Draft) -> Result<(), SetupError> {
        if let Some(url) = &wish.public_url {
            draft.set("carrier.acs", "public_url", url);
            return Ok(());
        }
        if let Some(tunnel) = &wish.tunnel {
            draft.set("carrier.acs", "tunnel", tunnel);
            return Ok(());
        }
        let table: toml::Table = draft.text().parse().unwrap_or_default();
        let acs = table.get("carrier").and_then(|carrier| carrier.get("acs"));
        if acs.is_some_and(|acs| acs.get("public_url").is_some() || acs.get("tunnel").is_some()) {
            return Ok(());
        }
        let choices = [
            "a tunnel of cloudflared, started with offhook",
            "a tunnel of ngrok, started with offhook",
            "a tunnel of tailscale (funnel), started with offhook",
            "an https:// address of yours, which leads to carrier.acs.listen",
        ];
        let (question, flag) = ("How does Azure reach this machine?", "--tunnel or --public-url");
        let chosen = self.ask.choose(question, &choices.map(str::to_owned), flag)?;
        match chosen {
            0 => draft.set("carrier.acs", "tunnel", "cloudflared"),
            1 => draft.set("carrier.acs", "tunnel", "ngrok"),
            2 => draft.set("carrier.acs", "tunnel", "tailscale"),
            _ => {
                let url = self.ask.text("The address", None, "--public-url")?;
                draft.set("carrier.acs", "public_url", &url);
            }
        }
        Ok(())
    }

    /// Event Grid tells of calls that come in; it asks the address for its consent, so offhook must be running.
    async fn incoming(&mut self, wish: &Wish) -> Result<(), SetupError> {
        let az = self.az().await.ok_or_else(|| SetupError::Check(NO_AZ.to_owned()))?;
        let url = wish.incoming_url.clone().ok_or(SetupError::Missing {
            what: "the address of deliveries",
            flag: "carrier.acs.public_url, or --public-url with the address of the tunnel",
        })?;
        let (config, _) = Config::load(Some(&self.file), &self.env)
            .map_err(|error| SetupError::Check(error.to_string()))?;
        let acs = config.acs.ok_or_else(|| {
            SetupError::Check("no resource is configured yet; run `offhook setup acs` first".to_owned())
        })?;
        let listed = az.look(self.ask, &["communication", "list"]).await?;
        let host = acs.resource().to_owned();
        let is_ours = |found: &&Value| text(found, "hostName") == host;
        let resource = listed.as_array().into_iter().flatten().find(is_ours);
        let id = resource.map(|found| text(found, "id")).ok_or_else(|| {
            SetupError::Check(format!("{host} is no resource of the subscription az is signed in to"))
        })?;
        let group = resource.map(group_of).unwrap_or_default();
        self.subscribe(&az, &id, group, url.expose_secret()).await?;
        if !self.dry_run {
            self.ask
                .say("Calls to the number come in now; `inbound.instructions` says how they are answered.");
        }
        Ok(())
    }

    /// Another installation may have subscribed to the same resource: its subscription is left as it is.
    async fn subscribe(&mut self, az: &Az, id: &str, group: String, url: &str) -> Result<(), SetupError> {
        let name = format!("offhook-incoming-{}", self.made.suffix());
        let at = ["--name", &name, "--source-resource-id", id];
        let listed = az
            .look(self.ask, &["eventgrid", "event-subscription", "list", "--source-resource-id", id])
            .await?;
        let (mut ours, mut others) = (false, Vec::new());
        for found in listed.as_array().into_iter().flatten() {
            match text(found, "name") {
                found if found == name => ours = true,
                other if is_told_of_calls(found) => others.push(other),
                _ => {}
            }
        }
        if !others.is_empty() {
            self.ask.say(&format!(
                "Others are told of calls to this resource, too: {}. A call is taken by whoever answers first.",
                others.join(", ")
            ));
        }
        let thing = Thing {
            kind: Kind::EventSubscription,
            name: name.clone(),
            subscription: az.subscription().to_owned(),
            group,
            within: Some(id.to_owned()),
            begun: false,
        };
        let command =
            |what| [&["eventgrid", "event-subscription", what][..], &at, &["--endpoint", url]].concat();
        match ours {
            // The address of a tunnel is another one each time.
            true => {
                if az.change(self.ask, &command("update")).await?.is_some() {
                    self.made.done(&thing)?;
                }
            }
            false => {
                let events = ["--endpoint-type", "webhook", "--included-event-types", INCOMING_CALL];
                self.make(az, &thing, &[&command("create")[..], &events].concat()).await?;
            }
        }
        Ok(())
    }
}

fn is_told_of_calls(subscription: &Value) -> bool {
    let types = subscription["filter"]["includedEventTypes"].as_array();
    // Without any it is told of everything.
    types.is_none_or(|types| types.iter().any(|kind| kind == INCOMING_CALL))
}

/// Some commands name the group of a thing, all its id.
fn group_of(found: &Value) -> String {
    let named = text(found, "resourceGroup");
    if !named.is_empty() {
        return named;
    }
    let id = text(found, "id");
    let mut parts = id.split('/');
    let group = parts.find(|part| part.eq_ignore_ascii_case("resourceGroups")).and_then(|_| parts.next());
    group.unwrap_or_default().to_owned()
}
