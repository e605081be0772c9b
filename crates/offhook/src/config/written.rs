//! Reads the file, lays the environment over it, and says precisely what can't be understood.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::env::Env;
use super::keys::{self, FOREIGN_NAMES, KEYS, Key, Kind};
use super::{ConfigError, Problem, voice};

/// Environment names of ours that are no configuration keys.
const OTHER_NAMES: [&str; 5] =
    ["OFFHOOK_CONFIG", "OFFHOOK_API_KEY", "OFFHOOK_URL", "OFFHOOK_PYTHON", "OFFHOOK_HOME"];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// With the line it stands on.
    File(usize),
    /// With the name of the variable.
    Env(String),
}

/// File and environment together, checked against the table of keys.
#[derive(Clone)]
pub struct Written {
    pub file: Option<PathBuf>,
    pub table: toml::Table,
    /// By the path of the value: `line[0].number`.
    pub origins: BTreeMap<String, Origin>,
    /// Variables of other products that stand in for keys nobody wrote.
    pub stand_ins: BTreeMap<&'static str, &'static str>,
    /// What is odd, but no reason to stop.
    pub warnings: Vec<String>,
}

/// The values may be secrets.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written")
            .field("file", &self.file)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

impl Written {
    /// Nothing at all.
    pub fn empty() -> Self {
        Self {
            file: None,
            table: toml::Table::new(),
            origins: BTreeMap::new(),
            stand_ins: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// `file` must exist when it is given.
    pub fn read(file: Option<&Path>, env: &Env) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|why| ConfigError::File { path: path.to_owned(), why })?,
            None => String::new(),
        };
        Self::parse(file, &text, env)
    }

    pub fn parse(file: Option<&Path>, text: &str, env: &Env) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            path: file.map(Path::to_owned).unwrap_or_default(),
            why: error.to_string().trim_end().to_owned(),
        };
        let spanned = DeTable::parse(text).map_err(syntax)?;
        let mut reading = Reading { text, origins: BTreeMap::new(), problems: Vec::new() };
        reading.table("", "", spanned.get_ref());
        let Reading { mut origins, mut problems, .. } = reading;
        problems.sort_by_key(|problem| problem.line);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { file: file.map(Path::to_owned), problems });
        }
        let mut table: toml::Table = text.parse().map_err(syntax)?;
        overlay(&mut table, &mut origins, &mut problems, env);
        voice::overlay(&mut table, &mut origins, &mut problems, env);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { file: file.map(Path::to_owned), problems });
        }
        let (stand_ins, mut warnings) = (stand_ins(env), unknown_names(env));
        warnings.extend(voice::overruled(&table, env));
        Ok(Self { file: file.map(Path::to_owned), table, origins, stand_ins, warnings })
    }
}

/// The walk over the file.
struct Reading<'a> {
    text: &'a str,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    /// `at` is where the table stands (`line[0]`), `path` the same as the table of keys writes it (`line[]`).
    fn table(&mut self, at: &str, path: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let span = name.span();
            let name = name.get_ref().as_ref();
            let (at, path) = (join(at, name), join(path, name));
            if let Some(key) = keys::find(&path) {
                match kind_problem(key.kind, value.get_ref()) {
                    Some(why) => self.problem(&at, why, span.start),
                    None => drop(self.origins.insert(at, Origin::File(self.line(span.start)))),
                }
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) if is_section(&path) => self.table(&at, &path, inner),
                DeValue::Array(items) if is_list(&path) => {
                    for (index, item) in items.iter().enumerate() {
                        match item.get_ref() {
                            DeValue::Table(inner) => {
                                self.table(&format!("{at}[{index}]"), &format!("{path}[]"), inner);
                            }
                            _ => self.problem(&at, format!("is written as [[{at}]]"), span.start),
                        }
                    }
                }
                _ if is_section(&path) => self.problem(&at, format!("is a table: [{at}]"), span.start),
                _ if is_list(&path) => {
                    self.problem(&at, format!("is a list of tables: [[{at}]]"), span.start)
                }
                found => self.problem(&at, unknown(&path, found.is_table() || found.is_array()), span.start),
            }
        }
    }

    fn problem(&mut self, key: &str, why: String, offset: usize) {
        self.problems.push(Problem { key: key.to_owned(), why, line: Some(self.line(offset)) });
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().matches('\n').count() + 1
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn is_list(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with("[].")))
}

fn kind_problem(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    let fits = match kind {
        Kind::Text | Kind::Secret | Kind::SecretUrl => value.is_str(),
        Kind::Choice(choices) => match value.as_str() {
            Some(word) if choices.contains(&word) => true,
            Some(word) => return Some(format!("{word:?} is not one of {}", choices.join(", "))),
            None => false,
        },
        Kind::Bool => value.is_bool(),
        Kind::Int => match value.as_integer() {
            Some(number) if number.as_str().starts_with('-') => return Some("must be 0 or more".to_owned()),
            number => number.is_some(),
        },
        Kind::Float => value.is_float() || value.is_integer(),
        Kind::List => value.as_array().is_some_and(|items| items.iter().all(|item| item.get_ref().is_str())),
        Kind::Map | Kind::SecretMap => {
            value.as_table().is_some_and(|table| table.values().all(|item| item.get_ref().is_str()))
        }
    };
    (!fits).then(|| format!("must be {}, not {}", spelled(kind), a(value.type_str())))
}

/// What may be written, and how TOML writes it.
fn spelled(kind: Kind) -> String {
    let form = match kind {
        Kind::Text | Kind::Secret | Kind::SecretUrl => " in quotes",
        Kind::List => ": [\"…\", \"…\"]",
        Kind::Map | Kind::SecretMap => ": { name = \"…\" }",
        Kind::Bool | Kind::Int | Kind::Float | Kind::Choice(_) => "",
    };
    format!("{}{form}", a(&kind.words()))
}

fn a(words: &str) -> String {
    match words.as_bytes().first() {
        _ if words.contains(" or ") => words.to_owned(),
        Some(b'a' | b'e' | b'i' | b'o') => format!("an {words}"),
        _ => format!("a {words}"),
    }
}

/// An unknown key, with the known key or table nearest to it.
fn unknown(path: &str, is_table: bool) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let sections = KEYS.iter().map(|key| key.section().trim_end_matches("[]")).filter(|_| is_table);
    let nearest = sections
        .chain(KEYS.iter().map(|key| key.path))
        .filter(|known| !known.is_empty())
        .map(|known| (likeness(known, path, name), known))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, known)) if distance <= name.len().div_ceil(2).max(2) => {
            format!("is no key of offhook; did you mean {}?", known.replace("[]", ""))
        }
        _ => "is no key of offhook; docs/config.md lists them all".to_owned(),
    }
}

/// How far a known key is from what was written: a slip of the finger, the wrong table, or a missing unit.
fn likeness(known: &str, path: &str, name: &str) -> usize {
    let known_name = known.rsplit('.').next().unwrap_or(known);
    let without_unit = known.strip_prefix(path).is_some_and(|rest| rest.starts_with('_'));
    let misplaced = distance(known_name, name) + 1;
    if without_unit { 1 } else { distance(known, path).min(misplaced) }
}

/// Edit distance (Levenshtein), one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What the environment says wins over the file.
fn overlay(
    table: &mut toml::Table,
    origins: &mut BTreeMap<String, Origin>,
    problems: &mut Vec<Problem>,
    env: &Env,
) {
    for key in KEYS {
        let name = key.env();
        let foreign = (key.path == "calling_enabled").then_some("CALLING_ENABLED");
        let found = env.get(&name).map(|text| (name.as_str(), text));
        let found = found.or_else(|| foreign.and_then(|name| Some((name, env.get(name)?))));
        let Some((name, text)) = found else { continue };
        match parse(key.kind, text) {
            Ok(value) => {
                set(table, key, value);
                origins.insert(key.path.replace("[]", "[0]"), Origin::Env(name.to_owned()));
            }
            Err(why) => problems.push(Problem { key: name.to_owned(), why, line: None }),
        }
    }
}

fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let wrong = || match kind {
        Kind::Map | Kind::SecretMap => "must be name=value, separated by commas".to_owned(),
        kind => format!("must be {}", a(&kind.words())),
    };
    Ok(match kind {
        Kind::Text | Kind::Secret | Kind::SecretUrl => Value::String(text.to_owned()),
        Kind::Choice(choices) if choices.contains(&text) => Value::String(text.to_owned()),
        Kind::Choice(choices) => return Err(format!("{text:?} is not one of {}", choices.join(", "))),
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Value::Boolean(true),
            "false" | "0" | "no" | "off" => Value::Boolean(false),
            _ => return Err(wrong()),
        },
        Kind::Int => Value::Integer(text.parse::<u32>().map_err(|_| wrong())?.into()),
        Kind::Float => Value::Float(text.parse().map_err(|_| wrong())?),
        Kind::List => Value::Array(items(text).map(|item| Value::String(item.to_owned())).collect()),
        Kind::Map | Kind::SecretMap => {
            let pairs = items(text).map(|item| item.split_once('=').ok_or_else(wrong));
            let pairs: Result<Vec<_>, _> = pairs.collect();
            let value = |value: &str| Value::String(value.trim().to_owned());
            Value::Table(
                pairs?.into_iter().map(|(name, text)| (name.trim().to_owned(), value(text))).collect(),
            )
        }
    })
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A text for a key that nobody wrote.
pub(super) fn set_text(table: &mut toml::Table, path: &str, text: &str) {
    if let Some(key) = keys::find(path) {
        set(table, key, Value::String(text.to_owned()));
    }
}

/// The value of a list of tables goes to its first.
fn set(table: &mut toml::Table, key: &Key, value: Value) {
    let mut table = table;
    for section in key.section().split('.').filter(|section| !section.is_empty()) {
        let (name, is_list) = section.strip_suffix("[]").map_or((section, false), |name| (name, true));
        let empty = || Value::Table(toml::Table::new());
        let entry =
            table.entry(name).or_insert_with(|| if is_list { Value::Array(vec![empty()]) } else { empty() });
        let inner = match entry {
            Value::Array(items) => {
                if items.is_empty() {
                    items.push(empty());
                }
                items.first_mut().and_then(Value::as_table_mut)
            }
            other => other.as_table_mut(),
        };
        // The walk over the file has made sure that a section is a table.
        let Some(inner) = inner else { return };
        table = inner;
    }
    table.insert(key.name().to_owned(), value);
}

fn stand_ins(env: &Env) -> BTreeMap<&'static str, &'static str> {
    let named = STAND_INS.iter().filter(|(_, name)| env.get(name).is_some());
    named.rev().copied().collect()
}

/// The first that is set counts.
const STAND_INS: [(&str, &str); 4] = [
    ("speech.openai.base_url", "AZURE_OPENAI_ENDPOINT"),
    ("speech.openai.model", "AZURE_OPENAI_REALTIME_DEPLOYMENT"),
    ("speech.openai.api_key", "AZURE_OPENAI_API_KEY"),
    ("speech.openai.api_key", "OPENAI_API_KEY"),
];

fn unknown_names(env: &Env) -> Vec<String> {
    let known = |name: &str| {
        OTHER_NAMES.contains(&name)
            || FOREIGN_NAMES.iter().any(|(foreign, _)| *foreign == name)
            || KEYS.iter().any(|key| key.env() == name)
    };
    let unknown = env.names().filter(|name| name.starts_with("OFFHOOK_") && !known(name));
    unknown.map(|name| format!("the environment variable {name} belongs to no key of offhook")).collect()
}
