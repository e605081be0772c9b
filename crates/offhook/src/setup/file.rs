//! Additions to `offhook.toml`, with everything else left as it stands there, and secrets in files of their own.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use offhook_core::PhoneNumber;
use toml::de::{DeTable, DeValue};

use super::SetupError;
use crate::config::{Config, Env};

/// A configuration file that is being added to.
#[derive(Clone, Debug)]
pub struct Draft {
    path: PathBuf,
    before: Option<String>,
    text: String,
}

impl Draft {
    pub fn open(path: &Path) -> Result<Self, SetupError> {
        let before = match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(path, error)),
        };
        let text = before.clone().unwrap_or_default();
        Ok(Self { path: path.to_owned(), before, text })
    }

    /// Sets a text, in its place where there is one.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        let literal = toml::Value::String(value.to_owned()).to_string();
        let path: Vec<&str> = section.split('.').chain([key]).collect();
        if let Some(place) = place(&self.text, &path) {
            self.text.replace_range(place, &literal);
            return;
        }
        let header = format!("[{section}]");
        let mut below = self.text.clone();
        let line = below.lines().position(|line| line.trim() == header);
        match line {
            Some(line) => {
                let at: usize = below.split_inclusive('\n').take(line + 1).map(str::len).sum();
                let at = if below[..at].ends_with('\n') {
                    at
                } else {
                    below.push('\n');
                    below.len()
                };
                below.insert_str(at, &format!("{key} = {literal}\n"));
            }
            None => {
                ends_line(&mut below);
                let gap = if below.is_empty() { "" } else { "\n" };
                below.push_str(&format!("{gap}{header}\n{key} = {literal}\n"));
            }
        }
        self.text = match DeTable::parse(&below) {
            Ok(_) => below,
            // The table was made with dotted keys, and may not be opened again: so is this one.
            Err(_) => format!("{section}.{key} = {literal}\n{}", self.text),
        };
    }

    /// A line with this number, unless there is one.
    pub fn add_line(&mut self, number: &PhoneNumber, trunk: &str) {
        let table: toml::Table = self.text.parse().unwrap_or_default();
        let lines = table.get("line").and_then(toml::Value::as_array).into_iter().flatten();
        let known = |line: &toml::Value| {
            line.get("number").and_then(toml::Value::as_str).and_then(|text| PhoneNumber::parse(text).ok())
        };
        if lines.filter_map(known).any(|line| line == *number) {
            return;
        }
        ends_line(&mut self.text);
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let (number, trunk) = (number.as_e164(), toml::Value::String(trunk.to_owned()));
        self.text.push_str(&format!("{gap}[[line]]\nnumber = \"{number}\"\ntrunk = {trunk}\n"));
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether offhook would start with it.
    pub fn check(&self, env: &Env) -> Result<(), SetupError> {
        let wrong = |error| SetupError::Check(format!("the configuration would not be right:\n{error}"));
        Config::parse(&self.text, env).map(drop).map_err(wrong)
    }

    /// Puts it in the place of what there was, in one step; where that is kept.
    pub fn save(&self, now: &str) -> Result<Option<PathBuf>, SetupError> {
        if self.before.as_deref() == Some(self.text.as_str()) {
            return Ok(None);
        }
        make_dir(super::dir(&self.path))?;
        let backup = match &self.before {
            Some(before) => {
                let name = self.path.file_name().unwrap_or_default().to_string_lossy();
                let backup = self.path.with_file_name(format!("{name}.{now}.bak"));
                replace(&backup, before.as_bytes(), mode(&self.path))?;
                Some(backup)
            }
            None => None,
        };
        replace(&self.path, self.text.as_bytes(), mode(&self.path))?;
        Ok(backup)
    }
}

/// Where a value stands.
fn place(text: &str, path: &[&str]) -> Option<std::ops::Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let (last, sections) = path.split_last()?;
    let mut table = table.get_ref();
    for section in sections {
        table = match found(table, section)?.get_ref() {
            DeValue::Table(inner) => inner,
            _ => return None,
        };
    }
    found(table, last).map(|value| value.span())
}

fn found<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a toml::Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref().as_ref() == name).map(|(_, value)| value)
}

fn ends_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Keeps a secret where only this user can read it; how the configuration refers to it.
pub fn keep_secret(dir: &Path, name: &str, secret: &str) -> Result<String, SetupError> {
    make_dir(dir)?;
    let path = dir.join(name);
    replace(&path, secret.as_bytes(), 0o600)?;
    Ok(format!("file:{}", path.display()))
}

fn make_dir(dir: &Path) -> Result<(), SetupError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir).map_err(|error| failed(dir, error))
}

/// The file is there as a whole or not at all, whatever happens.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SetupError> {
    let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(path, error)
    })
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0o600, |found| found.permissions().mode() & 0o777)
}

fn failed(path: &Path, error: std::io::Error) -> SetupError {
    SetupError::File { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: &str, change: impl FnOnce(&mut Draft)) -> String {
        let mut draft = Draft { path: PathBuf::new(), before: None, text: before.to_owned() };
        change(&mut draft);
        draft.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}: {}", draft.text));
        draft.text
    }

    #[test]
    fn what_is_there_stays_as_it_is_written() {
        let model = |draft: &mut Draft| draft.set("speech.openai", "model", "gpt-realtime-mini");
        for (before, expected) in [
            ("", "[speech.openai]\nmodel = \"gpt-realtime-mini\"\n"),
            (
                "# ours\nlisten = \"127.0.0.1:1\" # here\n",
                "# ours\nlisten = \"127.0.0.1:1\" # here\n\n[speech.openai]\nmodel = \"gpt-realtime-mini\"\n",
            ),
            (
                "[speech.openai]\nmodel = \"old\" # was good\nspeed = 1.1",
                "[speech.openai]\nmodel = \"gpt-realtime-mini\" # was good\nspeed = 1.1",
            ),
            (
                "[speech.openai]\nspeed = 1.1\n[policy]\n",
                "[speech.openai]\nmodel = \"gpt-realtime-mini\"\nspeed = 1.1\n[policy]\n",
            ),
            ("[speech.openai]", "[speech.openai]\nmodel = \"gpt-realtime-mini\"\n"),
            (
                "speech.openai.speed = 1.1\n",
                "speech.openai.model = \"gpt-realtime-mini\"\nspeech.openai.speed = 1.1\n",
            ),
        ] {
            assert_eq!(after(before, model), expected, "{before}");
        }
        let number = PhoneNumber::parse("+12065550123").expect("a number");
        let once = after("[policy]\n", |draft| draft.add_line(&number, "acs"));
        assert_eq!(once, "[policy]\n\n[[line]]\nnumber = \"+12065550123\"\ntrunk = \"acs\"\n");
        assert_eq!(after(&once, |draft| draft.add_line(&number, "acs")), once);
        let quoted = after("", |draft| draft.set("carrier.acs", "public_url", "https://a\"b"));
        assert_eq!(
            quoted.parse::<toml::Table>().expect("TOML")["carrier"]["acs"]["public_url"].as_str(),
            Some("https://a\"b")
        );
    }

    #[test]
    fn a_secret_is_for_this_user_only_and_what_was_there_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets = dir.path().join("secrets");
        let reference = keep_secret(&secrets, "key", "hunter2").expect("kept");
        let path = reference.strip_prefix("file:").expect("a reference");
        assert_eq!(fs::read_to_string(path).expect("there"), "hunter2");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(Path::new(path)), mode(&secrets)), (0o600, 0o700));

        let file = dir.path().join("offhook.toml");
        fs::write(&file, "listen = \"127.0.0.1:1\"\n").expect("written");
        let mut draft = Draft::open(&file).expect("open");
        assert_eq!(draft.save("1").expect("saved"), None, "nothing was changed");
        draft.set("voice", "target", "+12065550123");
        let backup = draft.save("2").expect("saved").expect("a backup");
        assert_eq!(fs::read_to_string(&backup).expect("there"), "listen = \"127.0.0.1:1\"\n");
        assert!(fs::read_to_string(&file).expect("there").contains("[voice]\ntarget = \"+12065550123\""));
        assert_eq!(fs::read_dir(dir.path()).expect("the files").count(), 3, "nothing is left over");
    }
}
