//! The ground rules that no compiler checks: who may depend on whom, how large a file may be, what a test may do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Written by others, made by tools, or not ours to check.
const SKIPPED: [&str; 6] = ["target", ".git", ".venv", "node_modules", "out", "offhook-demo"];

/// A table may be long; so may a page of rows.
const LONG_FILES: [&str; 0] = [];
const LINES: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is two levels down").to_owned()
}

/// The text files of the project with one of these endings, by their path from the root.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    open.push(entry.path());
                }
                continue;
            }
            let ends = endings.iter().any(|ending| name.ends_with(ending));
            let text = ends.then(|| fs::read_to_string(entry.path()).ok()).flatten();
            let path = entry.path().strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.extend(text.map(|text| (path, text)));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing ends with {endings:?}");
    found
}

fn rust_files() -> Vec<(String, String)> {
    files(&[".rs"])
}

/// Where and why, one a line; the test fails unless there is none.
fn none(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The crates a manifest names in one of its tables.
fn dependencies(krate: &str, table: &str) -> BTreeSet<String> {
    let path = root().join("crates").join(krate).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    manifest
        .get(table)
        .and_then(|table| table.as_table())
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn core_names_no_runtime_and_no_io() {
    let allowed = ["rlibphonenumber", "thiserror", "uuid"].map(str::to_owned);
    let named = dependencies("offhook-core", "dependencies");
    let others: Vec<&String> = named.iter().filter(|name| !allowed.contains(name)).collect();
    assert!(others.is_empty(), "core is pure; it can't use {others:?}");
}

#[test]
fn siblings_never_depend_on_each_other() {
    let siblings = ["offhook-carrier", "offhook-speech", "offhook-store", "offhook-sandbox"];
    for krate in siblings {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let named = dependencies(krate, table);
            let ours: Vec<&String> = named.iter().filter(|name| siblings.contains(&name.as_str())).collect();
            assert!(ours.is_empty(), "{krate} names {ours:?} in [{table}]");
        }
        assert!(!dependencies(krate, "dependencies").contains("offhook"), "{krate} can't know the gateway");
    }
}

#[test]
fn the_testkit_is_never_part_of_the_product() {
    for krate in fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name()) {
        let krate = krate.into_string().unwrap();
        assert!(!dependencies(&krate, "dependencies").contains("offhook-testkit"), "{krate}");
    }
}

#[test]
fn files_stay_small() {
    let long = |(path, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > LINES && !LONG_FILES.contains(&path.as_str())).then(|| format!("{path}: {lines} lines"))
    };
    none(rust_files().iter().filter_map(long).collect(), "split by responsibility");
}

#[test]
fn no_file_is_named_after_nothing() {
    let names = ["utils", "util", "common", "types", "helpers", "helper", "misc", "manager"];
    let named = |(path, _): &(String, String)| {
        let path = Path::new(path).with_extension("");
        path.components().any(|part| names.contains(&part.as_os_str().to_str().unwrap_or_default()))
    };
    let broken = rust_files().into_iter().filter(named).map(|(path, _)| path).collect();
    none(broken, "name it by what it does");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |text: &str| {
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
        !first.is_some_and(|line| line.starts_with("//! ") && line.len() > 12)
    };
    let rust = rust_files();
    let broken = rust.iter().filter(|(_, text)| silent(text)).map(|(path, _)| path.clone()).collect();
    none(broken, "a file begins with a line of //! documentation");
}

/// The part of a file that only runs in tests.
fn test_code<'a>(path: &str, text: &'a str) -> &'a str {
    if path.contains("/tests/") {
        return text;
    }
    text.find("#[cfg(test)]\nmod ").map_or("", |start| &text[start..])
}

#[test]
fn tests_wait_for_events_never_for_time_and_none_is_left_out() {
    // In two parts, so that this file does not find itself.
    let forbidden = [
        ("sle", "ep("),
        ("sle", "ep_ms("),
        ("sle", "ep_until("),
        ("time::sle", "ep;"),
        ("park_", "timeout("),
        ("spin_", "loop("),
        ("#[", "ignore"),
    ];
    let forbidden = forbidden.map(|(head, tail)| format!("{head}{tail}"));
    let mut broken = Vec::new();
    for (path, text) in rust_files() {
        for line in test_code(&path, &text).lines() {
            if forbidden.iter().any(|word| line.contains(word)) {
                broken.push(format!("{path}: {}", line.trim()));
            }
        }
    }
    none(broken, "a test waits for what it waits for, with a timeout, or pauses the clock");
}

/// Tests that ask again and again until something is so, because nothing tells them. They have a time limit each; a new
/// test finds an event to wait for.
const ASK_AGAIN: [&str; 8] = [
    "crates/offhook-carrier/tests/sip/failover.rs",
    "crates/offhook-carrier/tests/sip/far_end.rs",
    "crates/offhook-carrier/tests/sip/trunks.rs",
    "crates/offhook-store/tests/store/claiming.rs",
    "crates/offhook/tests/restart/files.rs",
    "crates/offhook/tests/restart/killed.rs",
    "crates/offhook/tests/restart/outage.rs",
    "crates/offhook/tests/restart/shutdown.rs",
];

#[test]
fn no_further_test_is_busy_while_it_waits() {
    let again = ["yield_", "now("].concat();
    let busy = |(path, text): &(String, String)| {
        let known = ASK_AGAIN.contains(&path.as_str());
        (path.contains("/tests/") && text.contains(&again) && !known).then(|| path.clone())
    };
    none(rust_files().iter().filter_map(busy).collect(), "a test waits for an event, not in a circle");
}

/// What people said or are to say, and whom they called: a `Debug` of these says how long it is, or nothing.
const PRIVATE: [&str; 15] = [
    "Brief",
    "CallBody",
    "CallPlaced",
    "CallRequest",
    "CallView",
    "Fact",
    "Numbers",
    "OnVoicemail",
    "PhoneNumber",
    "PlaceCall",
    "ResultView",
    "TaskResult",
    "TranscriptTurn",
    "Voicemail",
    "Words",
];

#[test]
fn what_is_private_has_no_debug_of_the_compilers() {
    let mut broken = Vec::new();
    for (path, text) in rust_files().into_iter().filter(|(path, _)| path.contains("/src/")) {
        // The brain has names of its own for what it thinks with.
        if path.contains("/local/brain/") {
            continue;
        }
        let mut derived = false;
        for line in text.lines().map(str::trim_start) {
            derived |= line.starts_with("#[derive(") && line.contains("Debug");
            let mut words =
                line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| *word != "pub");
            if let (Some("struct" | "enum"), Some(name)) = (words.next(), words.next()) {
                if derived && PRIVATE.contains(&name) {
                    broken.push(format!("{path}: {name}"));
                }
                derived = false;
            }
        }
    }
    none(broken, "write Debug by hand, without the words and the numbers");
}

#[test]
fn no_path_of_somebody_s_machine() {
    let mut paths = vec![format!("{}/", root().display()), ["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    paths.extend(std::env::var("HOME").ok().filter(|home| home.len() > 4).map(|home| format!("{home}/")));
    let endings = [
        ".rs", ".md", ".toml", ".lock", ".py", ".sh", ".yml", ".yaml", ".xml", ".json", ".txt", ".sql",
        "demo", "test", "run",
    ];
    let mut broken = Vec::new();
    for (file, text) in files(&endings) {
        for (number, line) in text.lines().enumerate() {
            if paths.iter().any(|path| names_path(line, path)) {
                broken.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(broken, "paths are relative to the project, or the user's");
}

/// The path itself, not the end of a longer one or of a URL.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || ".-_~}".contains(before))
    })
}

#[test]
fn the_product_never_blocks_on_a_queue_without_a_bound() {
    let unbounded = ["unbounded", "_channel"].concat();
    let uses = |(_, text): &(String, String)| text.contains(&unbounded);
    let broken = rust_files().into_iter().filter(uses).map(|(path, _)| path).collect();
    none(broken, "every queue is bounded");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in files(&[".md"]) {
        for link in links(&text) {
            if let Err(why) = follow(&path, &link) {
                broken.push(format!("{path}: {link}: {why}"));
            }
        }
    }
    none(broken, "a link leads nowhere");
}

/// The targets of the links in a page; code is left out.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        // Every second part between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        links.extend(targets.filter(|_| !in_code).map(|(target, _)| target.to_owned()));
    }
    links
}

fn follow(from: &str, link: &str) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let page = match path {
        "" => root().join(from),
        path => root().join(from).parent().expect("a file is in a directory").join(path),
    };
    if !page.exists() {
        return Err("no such file");
    }
    match anchor {
        Some(anchor) if page.extension().is_some_and(|ending| ending == "md") => {
            let text = fs::read_to_string(&page).map_err(|_| "can't be read")?;
            let found = text
                .lines()
                .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '))
                .any(|heading| slug(heading) == anchor);
            if found { Ok(()) } else { Err("no such heading") }
        }
        _ => Ok(()),
    }
}

/// How a heading is addressed.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
