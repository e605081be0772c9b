//! The environment as the configuration sees it: read once, passed in, so that tests bring their own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a file of names and values can't be used. The line itself may hold a secret, and is not shown.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    #[error("{}: can't be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("{}:{line}: write NAME=value", path.display())]
    Line { path: PathBuf, line: usize },
}

/// `export NAME="value"`, without the quotes; `None` for a blank line or a comment.
fn assigned(line: &str) -> Result<Option<(&str, &str)>, ()> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or(())?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(());
    }
    let unquoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    Ok(Some((name, unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value))))
}

/// Names with values; a blank value counts as none.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The environment of this process. Names and values that are not Unicode are left out.
    pub fn process() -> Self {
        let unicode = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(unicode.collect())
    }

    /// With the lines `NAME=value` of a file for the names that are not set: what the process was started with counts.
    pub fn with_file(mut self, path: &Path) -> Result<Self, EnvFileError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|why| EnvFileError::Unreadable { path: path.to_owned(), why })?;
        for (index, line) in text.lines().enumerate() {
            match assigned(line) {
                Ok(Some((name, _))) if self.get(name).is_some() => {}
                Ok(Some((name, value))) => drop(self.0.insert(name.to_owned(), value.to_owned())),
                Ok(None) => {}
                Err(()) => return Err(EnvFileError::Line { path: path.to_owned(), line: index + 1 }),
            }
        }
        Ok(self)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(vars: [(&str, &str); N]) -> Self {
        vars.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Env {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(vars: I) -> Self {
        Self(vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Names only: the values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_names_and_values() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join(".env");
        let text = "# of the line\n\nA=1\nexport B = \"two words\"\nC='a=b;c'\nD=\nE=ours\n";
        std::fs::write(&file, text).expect("written");
        let env = Env::from([("E", "theirs")]).with_file(&file).expect("read");
        let values = ["A", "B", "C", "D", "E"].map(|name| env.get(name));
        assert_eq!(values, [Some("1"), Some("two words"), Some("a=b;c"), None, Some("theirs")]);
        for (text, why) in [("A=1\nno value", ":2: write NAME=value"), ("a b=1", ":1: write NAME=value")] {
            std::fs::write(&file, text).expect("written");
            let error = Env::default().with_file(&file).expect_err(text).to_string();
            assert!(error.ends_with(why), "{error}");
        }
        assert!(Env::default().with_file(&dir.path().join("none")).is_err());
    }
}
