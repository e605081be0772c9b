//! What a setup made in somebody's subscription: written down before it is begun, so that nothing is left over unknown.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SetupError;
use super::file::replace;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Group,
    Communication,
    OpenAi,
    Deployment,
    EventSubscription,
}

/// One thing that was made, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    pub kind: Kind,
    pub name: String,
    /// Where it is, whatever `az` works in later; empty where that was not known.
    #[serde(default)]
    pub subscription: String,
    /// Of the group itself its own name.
    pub group: String,
    /// Of a deployment the resource it is in, of a subscription the id of what it listens to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// It was begun; whether it came to be is for the tag to say.
    #[serde(default)]
    pub begun: bool,
}

/// The list of it, and the mark that everything on it carries.
#[derive(Clone, Debug)]
pub struct Made {
    path: PathBuf,
    list: List,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct List {
    mark: String,
    #[serde(default)]
    things: Vec<Thing>,
}

impl Made {
    pub fn load(path: &Path) -> Result<Self, SetupError> {
        let wrong = |why: String| SetupError::File { path: path.to_owned(), why };
        let list = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                List { mark: uuid::Uuid::new_v4().simple().to_string(), things: Vec::new() }
            }
            Err(error) => return Err(wrong(error.to_string())),
        };
        Ok(Self { path: path.to_owned(), list })
    }

    /// The tag on what can carry one.
    pub fn tag(&self) -> String {
        format!("{TAG}={}", self.list.mark)
    }

    pub fn mark(&self) -> &str {
        &self.list.mark
    }

    /// Part of the names of new things: others have the same.
    pub fn suffix(&self) -> &str {
        &self.list.mark[..8]
    }

    /// As it is written down.
    pub fn known(&self, thing: &Thing) -> Option<&Thing> {
        self.list.things.iter().find(|known| same(known, thing))
    }

    /// The newest first: it depends on the others.
    pub fn newest_first(&self) -> Vec<Thing> {
        self.list.things.iter().rev().cloned().collect()
    }

    /// It is about to be made.
    pub fn begin(&mut self, thing: &Thing) -> Result<(), SetupError> {
        self.list.things.retain(|known| !same(known, thing));
        self.list.things.push(Thing { begun: true, ..thing.clone() });
        self.save()
    }

    /// It is there.
    pub fn done(&mut self, thing: &Thing) -> Result<(), SetupError> {
        self.list.things.iter_mut().filter(|known| same(known, thing)).for_each(|known| known.begun = false);
        self.save()
    }

    /// It is there no more, or never was.
    pub fn forget(&mut self, thing: &Thing) -> Result<(), SetupError> {
        self.list.things.retain(|known| !same(known, thing));
        self.save()
    }

    fn save(&self) -> Result<(), SetupError> {
        let json = serde_json::to_vec_pretty(&self.list).unwrap_or_default();
        let dir = super::dir(&self.path);
        std::fs::create_dir_all(dir)
            .map_err(|error| SetupError::File { path: dir.to_owned(), why: error.to_string() })?;
        replace(&self.path, &json, 0o600)
    }
}

pub const TAG: &str = "offhook-setup";

fn same(a: &Thing, b: &Thing) -> bool {
    (a.kind, &a.name, &a.subscription, &a.group, &a.within)
        == (b.kind, &b.name, &b.subscription, &b.group, &b.within)
}
