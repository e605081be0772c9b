//! The configuration for people: `offhook config show` without secrets, and `docs/config.md`.

use std::fmt::Write as _;

use serde_json::json;
use toml::Value;

use super::keys::{FOREIGN_NAMES, KEYS, Key, Kind};
use super::secret::{masked, masked_url};
use super::written::{Origin, Written};

/// One line of `offhook config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// With the place in a list: `line[0].number`.
    pub key: String,
    /// As it would be written in TOML, secrets masked; `None` when nobody wrote one.
    pub value: Option<String>,
    /// `file`, the name of a variable, or `default: …`.
    pub origin: String,
}

/// Every key with its value and where that comes from.
pub fn entries(written: &Written) -> Vec<Entry> {
    let mut entries = Vec::new();
    for key in KEYS {
        let mut found = Vec::new();
        collect(&mut found, String::new(), key.path, &Value::Table(written.table.clone()));
        for (at, value) in &found {
            let origin = match written.origins.get(at) {
                Some(Origin::Env(name)) => name.clone(),
                _ => "file".to_owned(),
            };
            entries.push(Entry { key: at.clone(), value: Some(shown(key.kind, value)), origin });
        }
        if found.is_empty() && !key.path.contains("[]") {
            entries.push(unwritten(key, written));
        }
    }
    entries
}

/// A key nobody wrote: another product's variable may stand in for it, or the default.
fn unwritten(key: &Key, written: &Written) -> Entry {
    let origin = match written.stand_ins.get(key.path) {
        Some(name) => (*name).to_owned(),
        None => match key.default_text() {
            none if none.is_empty() => "not set".to_owned(),
            default => format!("default: {default}"),
        },
    };
    Entry { key: key.path.to_owned(), value: None, origin }
}

/// The values at a path, one for each table of a list.
fn collect(found: &mut Vec<(String, Value)>, at: String, path: &str, value: &Value) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let (name, is_list) = head.strip_suffix("[]").map_or((head, false), |name| (name, true));
    let Some(value) = value.get(name) else { return };
    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (rest, value) {
        (Some(rest), Value::Array(items)) if is_list => {
            for (index, item) in items.iter().enumerate() {
                collect(found, format!("{at}[{index}]"), rest, item);
            }
        }
        (Some(rest), value) => collect(found, at, rest, value),
        (None, value) => found.push((at, value.clone())),
    }
}

fn shown(kind: Kind, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match kind {
        Kind::Secret => Value::String(masked(text)).to_string(),
        Kind::SecretUrl => Value::String(masked_url(text)).to_string(),
        Kind::SecretMap => {
            let mask = |(name, value): (&String, &Value)| {
                (name.clone(), Value::String(masked(value.as_str().unwrap_or_default())))
            };
            Value::Table(value.as_table().into_iter().flatten().map(mask).collect()).to_string()
        }
        _ => value.to_string(),
    }
}

/// Written keys as TOML, the others as comments.
pub fn entries_text(written: &Written) -> String {
    let mut text = match &written.file {
        Some(file) => format!("# {}\n", file.display()),
        None => "# no configuration file\n".to_owned(),
    };
    for entry in entries(written) {
        let _ = match &entry.value {
            Some(value) => writeln!(text, "{} = {value}  # {}", entry.key, entry.origin),
            None => writeln!(text, "# {}: {}", entry.key, entry.origin),
        };
    }
    text
}

pub fn entries_json(written: &Written) -> serde_json::Value {
    let entry = |entry: Entry| json!({ "key": entry.key, "value": entry.value, "origin": entry.origin });
    let entries: Vec<_> = entries(written).into_iter().map(entry).collect();
    json!({ "file": written.file, "keys": entries, "warnings": written.warnings })
}

/// `docs/config.md`.
pub fn document() -> String {
    let mut page = PREFACE.to_owned();
    let mut section = None;
    for key in KEYS {
        if section != Some(key.section()) {
            section = Some(key.section());
            let heading = match key.section() {
                "" => "Top".to_owned(),
                section if section.ends_with("[]") => format!("`[[{}]]`", section.trim_end_matches("[]")),
                section => format!("`[{section}]`"),
            };
            let _ = write!(page, "\n### {heading}\n\n| key | value | default | |\n|---|---|---|---|\n");
        }
        let default = key.default_text();
        let default = if default.is_empty() { "–".to_owned() } else { default.replace('|', "\\|") };
        let doc = key.doc.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {} | {default} | {doc} |", key.name(), key.kind.words());
    }
    page.push_str(
        "\n## Names of other products\n\nWhere a key is not set, these environment variables are used:\n\n",
    );
    page.push_str("| variable | stands for |\n|---|---|\n");
    for (name, meaning) in FOREIGN_NAMES {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page
}

const PREFACE: &str = "\
# Configuration

Nothing has to be configured: without a file offhook runs against its own [sandbox](../README.md) with the local voice.

offhook reads one file: `--config FILE`, else `$XDG_CONFIG_HOME/offhook/offhook.toml` (`~/.config/offhook/offhook.toml`).
`offhook config check` says what is wrong with it, `offhook config show` what every key is and where that comes from.

Every key can also be set in the environment, which wins: `OFFHOOK_`, then table and key in capitals, joined by `_`:
`speech.openai.api_key` is `OFFHOOK_SPEECH_OPENAI_API_KEY`. For a list of tables the variable sets the first one:
`OFFHOOK_CARRIER_SIP_TRUNK_SERVER`, `OFFHOOK_LINE_NUMBER`. Lists are separated by commas.

A secret is written as it is, as `${NAME}` for an environment variable, or as `file:/path` for a file. Secrets are never
printed or logged.

## A trunk and a Realtime key

```toml
[[carrier.sip.trunk]]
server = \"sip.example.com\"
username = \"offhook\"
password = \"file:/run/secrets/trunk\"

[[line]]
number = \"+12065550123\"

[speech]
model = \"openai-realtime\"

[speech.openai]
api_key = \"${OPENAI_API_KEY}\"
```

## All keys

This part is generated from the table in `crates/offhook/src/config/keys.rs`.
";
