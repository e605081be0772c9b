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
    use offhook_core::end::Outcome;

    use super::*;
    use crate::mcp::tools::TOOLS;

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

    /// What stands between backticks, one line at a time.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        let fenced = text.split("```").skip(1).step_by(2).flat_map(str::lines);
        let prose = text.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2));
        fenced.chain(prose)
    }

    #[test]
    fn every_endpoint_it_names_exists() {
        let document = serde_json::to_value(crate::http::document()).unwrap();
        let mut named = 0;
        for (page, text) in files() {
            for quoted in quoted(text) {
                let mut words = quoted.split_whitespace();
                let (Some(method), Some(path)) = (words.next(), words.next()) else { continue };
                if !["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&method) || !path.starts_with('/') {
                    continue;
                }
                named += 1;
                let path = path.split('?').next().unwrap_or_default().replace("{call_id}", "{id}");
                let known = &document["paths"][&path][method.to_lowercase()];
                assert!(known.is_object(), "{page} names {method} {path}, which there is not");
            }
        }
        assert!(named > 15, "only {named} were found");
    }

    #[test]
    fn every_command_and_option_it_names_exists() {
        use clap::CommandFactory as _;
        let program = crate::cli::Cli::command();
        let mut named = 0;
        for (page, text) in files() {
            for quoted in quoted(text) {
                let Some(rest) = quoted.strip_prefix("offhook ") else { continue };
                named += 1;
                let mut command = &program;
                for word in rest.split_whitespace() {
                    if let Some(option) = word.strip_prefix("--") {
                        let option = option.split('=').next();
                        let known = command.get_arguments().any(|argument| argument.get_long() == option);
                        assert!(known, "{page}: {quoted}: there is no {word}");
                    } else if let Some(below) = command.find_subcommand(word) {
                        command = below;
                    } else {
                        assert!(
                            command.has_subcommands() || command.get_name() != "offhook",
                            "{page}: {quoted}"
                        );
                        assert!(!std::ptr::eq(command, &program), "{page}: there is no offhook {word}");
                    }
                }
            }
        }
        assert!(named > 5, "only {named} were found");
    }

    /// Tools, fields, codes: whatever is written like a name of the API is one.
    #[test]
    fn every_name_it_uses_is_known() {
        let document = serde_json::to_string(&crate::http::document()).unwrap();
        // Of the state file, and of the schemas in examples.
        let own = ["user_phone_number", "price_usd", "clawcall_sk_"];
        let is_name = |name: &&str| {
            name.contains('_') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let known = |name: &str| {
            own.contains(&name)
                || TOOLS.iter().any(|tool| tool.name == name || tool.takes(name))
                || Outcome::from_code(name).is_some()
                || [format!("\"{name}\""), format!("`{name}`")].iter().any(|name| document.contains(name))
        };
        let unknown: Vec<String> = files()
            .flat_map(|(page, text)| quoted(text).filter(is_name).map(move |name| (page.clone(), name)))
            .filter(|(_, name)| !known(name))
            .map(|(page, name)| format!("{page}: {name}"))
            .collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
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
