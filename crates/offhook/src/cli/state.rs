//! The state file of an agent: its API key and its user's own number. The contract says where it is and how it is kept.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::config::{Env, xdg};
use crate::gateway::KEY_PREFIX;

/// The two fields of the contract.
const API_KEY: &str = "api_key";
const PHONE: &str = "user_phone_number";

pub struct State {
    /// From the environment; hides the file.
    env_key: Option<String>,
    path: Option<PathBuf>,
}

/// What is in it is private.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("path", &self.path).finish_non_exhaustive()
    }
}

impl State {
    pub fn load(env: &Env) -> Self {
        let env_key = ["OFFHOOK_API_KEY", "CLAWCALL_API_KEY"]
            .into_iter()
            .find_map(|name| env.get(name).map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned));
        let path = xdg(env, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("clawcall/key.json"));
        Self { env_key, path }
    }

    pub fn key(&self) -> Option<String> {
        if self.env_key.is_some() {
            return self.env_key.clone();
        }
        let fields = read(self.path.as_deref()?);
        fields.get(API_KEY).and_then(Value::as_str).map(str::to_owned)
    }

    pub fn save_key(&self, key: &str) -> io::Result<()> {
        if !key.starts_with(KEY_PREFIX) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no API key"));
        }
        self.save(API_KEY, Some(key))
    }

    /// The user's own number, for callbacks and handoffs.
    pub fn phone(&self) -> Option<String> {
        let fields = read(self.path.as_deref()?);
        fields.get(PHONE).and_then(Value::as_str).map(str::to_owned)
    }

    /// Keep it, or forget it.
    pub fn save_phone(&self, phone: Option<&str>) -> io::Result<()> {
        self.save(PHONE, phone)
    }

    /// Keep the other fields; replace the file in one step.
    fn save(&self, field: &str, text: Option<&str>) -> io::Result<()> {
        let path = self.path.as_deref().ok_or_else(|| io::Error::other("there is no home directory"))?;
        let mut fields = read(path);
        match text {
            Some(text) => fields.insert(field.to_owned(), text.into()),
            None => fields.remove(field),
        };
        write(path, &fields)
    }

    /// Remove a key that the server does not know, if it came from the file; the other fields stay.
    pub fn forget_key(&self) -> bool {
        let Some(path) = self.path.as_deref().filter(|_| self.env_key.is_none()) else { return false };
        let mut fields = read(path);
        fields.remove(API_KEY).is_some() && write(path, &fields).is_ok()
    }
}

/// A missing or broken file is an empty one.
fn read(path: &Path) -> Map<String, Value> {
    let parsed = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match parsed {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn write(path: &Path, fields: &Map<String, Value>) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
    }
    let temporary = path.with_extension(format!("{}.{}.tmp", std::process::id(), uuid::Uuid::new_v4()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&temporary)?.write_all(&serde_json::to_vec_pretty(fields)?)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_saved_beside_what_was_there_and_only_for_this_user() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clawcall/key.json");
        let state = State { env_key: None, path: Some(path.clone()) };
        assert_eq!(state.key(), None);
        write(&path, &Map::from_iter([("user_phone_number".to_owned(), "+14155550190".into())]))
            .expect("written");
        state.save_key("clawcall_sk_test").expect("saved");
        assert_eq!(state.key().as_deref(), Some("clawcall_sk_test"));
        assert_eq!(read(&path)["user_phone_number"], "+14155550190");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        assert!(state.forget_key() && !state.forget_key());
        assert_eq!(read(&path).keys().collect::<Vec<_>>(), ["user_phone_number"]);
        assert_eq!(state.phone().as_deref(), Some("+14155550190"));
        state.save_phone(None).expect("forgotten");
        assert_eq!(state.phone(), None);
    }

    #[test]
    fn what_is_no_key_is_not_saved_and_a_broken_file_is_an_empty_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.json");
        fs::write(&path, b"[1, 2").expect("written");
        let state = State { env_key: None, path: Some(path) };
        assert!(state.save_key("hunter2").is_err());
        assert_eq!(state.key(), None);
    }
}
