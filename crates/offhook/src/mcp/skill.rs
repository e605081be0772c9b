//! The skill for agents, as it ships in this program, and where agents look for skills.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::guide::PAGES;
use crate::config::{Env, xdg};

/// What its folder is called.
pub const NAME: &str = "offhook";
const ENTRY: &str = include_str!("../../../../skills/offhook/SKILL.md");

/// An agent, and the folder where it looks for the skills of its user.
#[derive(Clone, Copy, Debug)]
pub struct Agent {
    pub name: &'static str,
    /// A variable that says where its own folder is.
    variable: Option<&'static str>,
    /// Otherwise below the home directory.
    home: &'static str,
}

/// The shared folder first: it is where the standard's own agents look, and what is written to when no other is there.
pub const AGENTS: [Agent; 9] = [
    Agent { name: "agents", variable: None, home: ".agents" },
    Agent { name: "claude", variable: Some("CLAUDE_CONFIG_DIR"), home: ".claude" },
    // Its documentation says the shared folder; this one is of its first releases, and is still read.
    Agent { name: "codex", variable: Some("CODEX_HOME"), home: ".codex" },
    Agent { name: "copilot", variable: None, home: ".copilot" },
    Agent { name: "cursor", variable: None, home: ".cursor" },
    Agent { name: "gemini", variable: None, home: ".gemini" },
    Agent { name: "goose", variable: None, home: ".config/goose" },
    Agent { name: "openclaw", variable: None, home: ".openclaw" },
    Agent { name: "opencode", variable: None, home: ".config/opencode" },
];

impl Agent {
    /// Its own folder.
    fn dir(&self, env: &Env) -> Option<PathBuf> {
        if let Some(dir) = self.variable.and_then(|name| env.get(name)) {
            return Some(dir.into());
        }
        match self.home.strip_prefix(".config/") {
            Some(below) => xdg(env, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join(below)),
            None => Some(Path::new(env.get("HOME")?).join(self.home)),
        }
    }

    /// Where its skills are.
    pub fn skills(&self, env: &Env) -> Option<PathBuf> {
        Some(self.dir(env)?.join("skills"))
    }

    /// Whether it was ever used here.
    pub fn is_here(&self, env: &Env) -> bool {
        self.dir(env).is_some_and(|dir| dir.is_dir())
    }
}

/// Every file of the skill, by its path in the skill's folder.
pub fn files() -> impl Iterator<Item = (String, &'static str)> {
    let pages = PAGES.iter().map(|page| (format!("references/{}.md", page.topic), page.text));
    std::iter::once(("SKILL.md".to_owned(), ENTRY)).chain(pages)
}

/// Write the skill into a folder of skills; an older one is brought up to date. What else is in its folder stays.
pub fn install(skills: &Path) -> io::Result<PathBuf> {
    let dir = skills.join(NAME);
    for (path, text) in files() {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skill_is_found_by_its_description() {
        let (head, _) = ENTRY.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
        assert!(head.lines().any(|line| line == "name: offhook"), "{head}");
        let description = head.lines().find_map(|line| line.strip_prefix("description: ")).unwrap();
        assert!((40..1_024).contains(&description.len()), "{}", description.len());
    }

    #[test]
    fn every_page_is_named_by_the_entry_and_is_no_book() {
        for (path, text) in files() {
            assert!(path == "SKILL.md" || ENTRY.contains(&path), "{path} is not named in SKILL.md");
            assert!(text.lines().count() < 400, "{path}");
        }
    }

    #[test]
    fn where_agents_look() {
        let env = Env::from([("HOME", "/home/mira"), ("CLAUDE_CONFIG_DIR", "/etc/claude")]);
        let skills = |name: &str| {
            let agent = AGENTS.iter().find(|agent| agent.name == name).unwrap();
            agent.skills(&env).unwrap().display().to_string()
        };
        for (name, expected) in [
            ("agents", "/home/mira/.agents/skills"),
            ("claude", "/etc/claude/skills"),
            ("codex", "/home/mira/.codex/skills"),
            ("opencode", "/home/mira/.config/opencode/skills"),
        ] {
            assert_eq!(skills(name), expected);
        }
        let xdg = Env::from([("HOME", "/home/mira"), ("XDG_CONFIG_HOME", "/x")]);
        let goose = AGENTS.iter().find(|agent| agent.name == "goose").unwrap();
        assert_eq!(goose.skills(&xdg).unwrap(), Path::new("/x/goose/skills"));
    }
}
