//! Takes back what a setup made, and nothing else: each thing is looked at first, and one that does not carry the mark of
//! this setup stays, as does a group with anything of somebody else's in it.

use serde_json::Value;

use super::az::Az;
use super::made::{Kind, TAG, Thing};
use super::realtime::{NO_AZ, text};
use super::{Setup, SetupError};

/// What became of one thing.
enum Taken {
    Gone,
    /// It stays, because of this.
    Stays(String),
}

impl Setup {
    pub async fn undo(&mut self) -> Result<(), SetupError> {
        let things = self.made.newest_first();
        if things.is_empty() {
            self.ask.say("Nothing was made by a setup here.");
            return Ok(());
        }
        let az = self.az().await.ok_or_else(|| SetupError::Check(NO_AZ.to_owned()))?;
        let mut stay = Vec::new();
        for thing in things {
            match self.take_back(&az.within(&thing.subscription), &thing).await? {
                Taken::Gone if self.dry_run => {}
                Taken::Gone => self.made.forget(&thing)?,
                Taken::Stays(why) => stay.push(format!("{} stays: {why}", thing.name)),
            }
        }
        stay.iter().for_each(|why| self.ask.say(why));
        if !self.dry_run {
            let file = self.file.display();
            self.ask.say(&format!("{file} is as it was written; what it had before is beside it, as .bak."));
        }
        Ok(())
    }

    async fn take_back(&self, az: &Az, thing: &Thing) -> Result<Taken, SetupError> {
        let Thing { kind, name, group, within, begun, .. } = thing;
        let within = within.as_deref().unwrap_or_default();
        let (show, delete): (Vec<&str>, Vec<&str>) = match kind {
            Kind::EventSubscription => {
                let at = ["--name", name, "--source-resource-id", within];
                let command = |what| [&["eventgrid", "event-subscription", what][..], &at].concat();
                (command("show"), command("delete"))
            }
            Kind::Deployment => {
                let at = ["--name", within, "--resource-group", group, "--deployment-name", name];
                let command =
                    |what| [&["cognitiveservices", "account", "deployment", what][..], &at].concat();
                (command("show"), command("delete"))
            }
            Kind::OpenAi => {
                let at = ["--name", name, "--resource-group", group];
                let command = |what| [&["cognitiveservices", "account", what][..], &at].concat();
                (command("show"), command("delete"))
            }
            Kind::Communication => {
                let at = ["--name", name, "--resource-group", group];
                let show = [&["communication", "show"][..], &at].concat();
                (show, [&["communication", "delete"][..], &at, &["--yes"]].concat())
            }
            Kind::Group => {
                (vec!["group", "show", "--name", name], vec!["group", "delete", "--name", name, "--yes"])
            }
        };
        let found = match az.look(self.ask, &show).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(Taken::Gone),
            Err(error) => return Err(error.into()),
        };
        if let Some(why) = self.not_ours(az, thing, &found, *begun).await? {
            return Ok(Taken::Stays(why));
        }
        az.change(self.ask, &delete).await?;
        Ok(Taken::Gone)
    }

    /// Why it is not for us to delete.
    async fn not_ours(
        &self,
        az: &Az,
        thing: &Thing,
        found: &Value,
        begun: bool,
    ) -> Result<Option<String>, SetupError> {
        match thing.kind {
            // They carry no tags: ours is what is known to have been made, or has the mark of this setup in its name.
            Kind::Deployment | Kind::EventSubscription => {
                let unclear = begun && !thing.name.ends_with(self.made.suffix());
                Ok(unclear.then(|| {
                    "it is not known whether this setup made it; look at it, and delete it by hand".to_owned()
                }))
            }
            Kind::OpenAi | Kind::Communication | Kind::Group
                if text(&found["tags"], TAG) != self.made.mark() =>
            {
                Ok(Some("it does not carry the tag of this setup".to_owned()))
            }
            Kind::OpenAi | Kind::Communication => Ok(None),
            Kind::Group => {
                let inside =
                    az.look(self.ask, &["resource", "list", "--resource-group", &thing.name]).await?;
                let ours = |found: &&Value| text(&found["tags"], TAG) == self.made.mark();
                let others: Vec<String> = inside
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|found| !(self.dry_run && ours(found)))
                    .map(|found| text(found, "name"))
                    .collect();
                Ok((!others.is_empty())
                    .then(|| format!("there is something else in it: {}", others.join(", "))))
            }
        }
    }
}
