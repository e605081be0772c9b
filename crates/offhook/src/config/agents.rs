//! The agents behind the voice: `[[agent]]` for each, `[agents]` for how much may be asked of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::build::Build;
use super::keys::Kind::{Choice, Int, List, Secret, SecretMap, Text};
use super::keys::{Key, key};
use super::raw::{RawAgent, RawAgents};
use super::secret::RawSecret;
use super::{choice, speech};
use crate::agents::{Agent, Chat, Endpoint, Kind, Program, Settings};
use crate::webhooks::sign;

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("agent[].name", Text, "", "What the voice calls it by: letters, digits, `-` and `_`. The first agent is the usual one."),
    key("agent[].description", Text, "", "What it is for, in a sentence; the voice chooses by it where there are several."),
    key("agent[].kind", Choice(choice::Agent::WORDS), "what is written for it", "How it is asked: an OpenAI-compatible chat endpoint, a program of this machine, an address that JSON is posted to, or whoever placed the call."),
    key("agent[].base_url", Text, "", "`chat`: the endpoint up to and including the version, e.g. `http://127.0.0.1:18789/v1`."),
    key("agent[].api_key", Secret, "", "`chat`: its key, sent as a bearer token."),
    key("agent[].model", Text, "", "`chat`: the model, or the agent, to ask it for."),
    key("agent[].system_prompt", Text, "", "`chat`: told before what offhook tells about the call."),
    key("agent[].headers", SecretMap, "", "`chat`, `http`: further headers."),
    key("agent[].command", List, "", "`command`: the program and its arguments, e.g. `[\"claude\", \"-p\"]`. The request comes on standard input, the answer goes to standard output. No shell, and nothing that was said becomes an argument."),
    key("agent[].directory", Text, "where offhook runs", "`command`: the working directory."),
    key("agent[].env", List, "[]", "`command`: names of environment variables it gets, besides PATH, HOME, USER, SHELL, TMPDIR and those of the language. No others."),
    key("agent[].url", Secret, "", "`http`: the address that the request is posted to as JSON."),
    key("agent[].secret", Secret, "", "`http`: what requests are signed with, as webhooks are; `whsec_` and base64."),
    key("agents.wait_seconds", Int, "60", "How long the conversation waits for an answer (`invoke_agent`)."),
    key("agents.work_seconds", Int, "300", "How long an agent may work while the conversation goes on (`invoke_agent_async`)."),
    key("agents.parallel", Int, "3", "Agents at work at the same time for one call."),
    key("agents.parallel_in_all", Int, "16", "The same, for all calls together."),
    key("agents.keys", Choice(choice::AgentKeys::WORDS), "any when listen is a loopback address and there is no public_url, else admin", "Whose calls may have agents asked: those placed with any key, or with an admin's. Callers from outside are another matter: `[[inbound.line]]` and profiles decide about them."),
    key("agents.most", Int, "30", "How often one call may ask agents."),
];

pub(super) fn settings(
    build: &mut Build<'_>,
    raw: &[RawAgent],
    much: &RawAgents,
    is_private: bool,
) -> Settings {
    let mut agents: Vec<Agent> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let at = format!("agent[{index}]");
        let Some(agent) = agent(build, &at, raw) else { continue };
        if agents.iter().any(|other| other.name.eq_ignore_ascii_case(&agent.name)) {
            build.problem(format!("{at}.name"), format!("{:?} is another agent's name too", agent.name));
        }
        agents.push(agent);
    }
    let usual = Settings::default();
    Settings {
        agents,
        wait: build.limit("agents.wait_seconds", much.wait_seconds, usual.wait),
        work: build.limit("agents.work_seconds", much.work_seconds, usual.work),
        parallel: at_least_one(build, "agents.parallel", much.parallel, usual.parallel),
        parallel_in_all: at_least_one(
            build,
            "agents.parallel_in_all",
            much.parallel_in_all,
            usual.parallel_in_all,
        ),
        most: at_least_one(build, "agents.most", much.most, usual.most),
        any_key: much.keys.map_or(is_private, |keys| keys == choice::AgentKeys::Any),
    }
}

fn at_least_one(build: &mut Build<'_>, key: &str, written: Option<u64>, default: u32) -> u32 {
    let written = build.u32(key, written, default);
    if written == 0 {
        build.problem(key, "must be at least 1; without an [[agent]] nobody is asked");
    }
    written
}

fn agent(build: &mut Build<'_>, at: &str, raw: &RawAgent) -> Option<Agent> {
    let name = name(build, &format!("{at}.name"), raw.name.as_deref());
    let kind = kind(build, at, raw).and_then(|kind| match kind {
        choice::Agent::Chat => chat(build, at, raw).map(Kind::Chat),
        choice::Agent::Command => program(build, at, raw).map(Kind::Command),
        choice::Agent::Http => endpoint(build, at, raw).map(Kind::Http),
        choice::Agent::Owner => Some(Kind::Owner),
    });
    let description = raw.description.as_deref().unwrap_or_default().trim().to_owned();
    Some(Agent { name: name?, description, kind: kind? })
}

fn name(build: &mut Build<'_>, key: &str, written: Option<&str>) -> Option<String> {
    let Some(name) = written else {
        build.problem(key, "is missing: what the voice calls it by, e.g. main");
        return None;
    };
    let name = name.trim();
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !fits || !(1..=40).contains(&name.len()) {
        build.problem(key, format!("{name:?} is not one to 40 letters, digits, - and _"));
        return None;
    }
    Some(name.to_owned())
}

/// What is written for it says how it is asked, unless it is said.
fn kind(build: &mut Build<'_>, at: &str, raw: &RawAgent) -> Option<choice::Agent> {
    let written = [
        (choice::Agent::Chat, "base_url", raw.base_url.is_some()),
        (choice::Agent::Command, "command", raw.command.is_some()),
        (choice::Agent::Http, "url", raw.url.is_some()),
    ];
    let mut told =
        written.iter().filter(|(_, _, is_written)| *is_written).map(|(kind, key, _)| (*kind, *key));
    let (first, second) = (told.next(), told.next());
    let wrong = match (raw.kind, first, second) {
        (_, Some((_, one)), Some((_, other))) => format!("has {one} and {other}, which are two agents"),
        (Some(kind), None, _) if kind != choice::Agent::Owner => {
            let (_, needed, _) = written.iter().find(|(known, ..)| *known == kind).unwrap_or(&written[0]);
            format!("is missing: this kind needs {needed}")
        }
        (Some(kind), Some((other, key)), _) if kind != other => format!("is of another kind than {key} says"),
        (None, None, _) => "is missing: write base_url, command or url, or kind = \"owner\"".to_owned(),
        (kind, first, _) => return kind.or(first.map(|(kind, _)| kind)),
    };
    build.problem(format!("{at}.kind"), wrong);
    None
}

fn chat(build: &mut Build<'_>, at: &str, raw: &RawAgent) -> Option<Chat> {
    let base_url =
        speech::url(build, &format!("{at}.base_url"), raw.base_url.as_deref()?, &["http", "https"]);
    let api_key = build.secret(&format!("{at}.api_key"), raw.api_key.as_ref());
    let headers = headers(build, at, raw.headers.as_ref());
    let Some(model) = raw.model.clone().filter(|model| !model.trim().is_empty()) else {
        build.problem(format!("{at}.model"), "is missing: the model to ask the endpoint for");
        return None;
    };
    Some(Chat { base_url, api_key, model, system_prompt: raw.system_prompt.clone(), headers })
}

/// What a program needs to find itself and its settings.
const ENV: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LC_ALL", "TZ"];

fn program(build: &mut Build<'_>, at: &str, raw: &RawAgent) -> Option<Program> {
    let argv = raw.command.clone()?;
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        build.problem(format!("{at}.command"), "names no program, e.g. [\"claude\", \"-p\"]");
        return None;
    }
    let directory = raw.directory.as_ref().map(PathBuf::from);
    if directory.as_ref().is_some_and(|directory| !directory.is_dir()) {
        build.problem(format!("{at}.directory"), "is no directory");
    }
    let own = raw.env.iter().flatten().map(String::as_str);
    let value = |name: &str| {
        let value = build.env.get(name)?;
        Some((name.to_owned(), SecretString::from(value)))
    };
    let env = ENV.into_iter().chain(own).filter_map(value).collect();
    Some(Program { argv, directory, env })
}

fn endpoint(build: &mut Build<'_>, at: &str, raw: &RawAgent) -> Option<Endpoint> {
    let url = build.secret(&format!("{at}.url"), raw.url.as_ref())?;
    let url = speech::url(build, &format!("{at}.url"), url.expose_secret(), &["http", "https"]);
    let secret = build.secret(&format!("{at}.secret"), raw.secret.as_ref());
    let key = secret.as_ref().and_then(|secret| sign::key(secret.expose_secret()));
    if secret.is_some() && key.is_none() {
        build.problem(format!("{at}.secret"), "is no secret of webhooks: whsec_ and base64");
    }
    Some(Endpoint { url, key, headers: headers(build, at, raw.headers.as_ref()) })
}

fn headers(build: &mut Build<'_>, at: &str, raw: Option<&BTreeMap<String, RawSecret>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in raw.into_iter().flatten() {
        let key = format!("{at}.headers.{name}");
        let Some(value) = build.secret(&key, Some(value)) else { continue };
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose_secret())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => build.problem(key, "is no header that can be sent"),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, Env};

    fn agents(text: &str) -> Result<Settings, String> {
        let env = Env::from([("PATH", "/usr/bin"), ("MIRA", "m"), ("OTHER", "o"), ("KEY", "sk-1")]);
        Config::parse(text, &env).map(|config| config.agents).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_agent() {
        let settings = agents(
            r#"
            [[agent]]
            name = "main"
            description = "Knows everything."
            base_url = "http://127.0.0.1:18789/v1/"
            api_key = "${KEY}"
            model = "openclaw"
            headers = { X-Session = "phone" }

            [[agent]]
            name = "code"
            command = ["claude", "-p"]
            env = ["MIRA", "NOBODY"]

            [[agent]]
            name = "house"
            url = "https://house.example.com/ask"
            secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

            [[agent]]
            name = "me"
            kind = "owner"

            [agents]
            wait_seconds = 20
            parallel = 2
            "#,
        )
        .unwrap();
        assert_eq!((settings.wait, settings.parallel), (Duration::from_secs(20), 2));
        let [main, code, house, me] = &settings.agents[..] else { panic!("{settings:?}") };
        assert_eq!((main.name.as_str(), main.description.as_str()), ("main", "Knows everything."));
        let Kind::Chat(chat) = &main.kind else { panic!("{main:?}") };
        assert_eq!((chat.base_url.as_str(), chat.model.as_str()), ("http://127.0.0.1:18789/v1", "openclaw"));
        assert_eq!(chat.headers["x-session"], "phone");
        let Kind::Command(program) = &code.kind else { panic!("{code:?}") };
        let env: Vec<&str> = program.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((program.argv.join(" ").as_str(), env), ("claude -p", vec!["PATH", "MIRA"]));
        let Kind::Http(endpoint) = &house.kind else { panic!("{house:?}") };
        assert_eq!(endpoint.key.as_ref().map(Vec::len), Some(24));
        assert!(matches!(me.kind, Kind::Owner));
        let shown = format!("{settings:?}");
        for secret in ["sk-1", "phone", "house.example.com", "MfKQ"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("[[agent]]\nname = \"a\"", "write base_url, command or url"),
            ("[[agent]]\nkind = \"owner\"", "agent[0].name is missing"),
            ("[[agent]]\nname = \"a b\"\nkind = \"owner\"", "letters, digits"),
            ("[[agent]]\nname = \"a\"\nkind = \"chat\"", "needs base_url"),
            ("[[agent]]\nname = \"a\"\nbase_url = \"http://x/v1\"", "agent[0].model is missing"),
            ("[[agent]]\nname = \"a\"\nbase_url = \"x\"\nmodel = \"m\"", "must be an address"),
            ("[[agent]]\nname = \"a\"\nurl = \"http://x\"\ncommand = [\"x\"]", "which are two agents"),
            ("[[agent]]\nname = \"a\"\nurl = \"http://x\"\nkind = \"owner\"", "another kind than url"),
            ("[[agent]]\nname = \"a\"\nurl = \"http://x\"\nsecret = \"!\"", "whsec_ and base64"),
            ("[[agent]]\nname = \"a\"\ncommand = []", "names no program"),
            ("[[agent]]\nname = \"a\"\ncommand = [\"x\"]\ndirectory = \"/no/such\"", "is no directory"),
            ("[agents]\nparallel = 0", "must be at least 1"),
        ] {
            let error = agents(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let twice = "[[agent]]\nname = \"a\"\nkind = \"owner\"\n".repeat(2);
        assert!(agents(&twice).unwrap_err().contains("another agent's name"));
    }
}
