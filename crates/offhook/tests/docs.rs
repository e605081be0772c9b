//! The documents say what the code does: what can be generated in them is.
//!
//! `UPDATE_EXPECT=1 cargo test -p offhook --test docs` writes the generated parts anew.

#[path = "docs/facts.rs"]
mod facts;
#[path = "docs/sip_statuses.rs"]
mod sip_statuses;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::{ExpectFile, expect_file};
use offhook::config::{Config, Env};
use offhook_core::{EndReason, Fact};
use offhook_sandbox::{NUMBERS, TestNumber};

/// The part of a document between `<!-- generated: NAME -->` and `<!-- end -->` is exactly this text.
#[track_caller]
fn check(document: &ExpectFile, name: &str, generated: &str) {
    let text = document.data();
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no {begin:?} in the document"));
    let (_, after) = rest.split_once("<!-- end -->").expect("the generated part ends");
    document.assert_eq(&format!("{before}{begin}{}\n<!-- end -->{after}", generated.trim_end()));
}

#[test]
fn the_end_reasons() {
    let document = expect_file!["../../../docs/calling/end-reasons.md"];
    check(&document, "end reasons", &EndReason::markdown_table());
}

#[test]
fn what_a_sip_status_becomes() {
    let document = expect_file!["../../../docs/carriers/sip.md"];
    check(&document, "SIP statuses", &sip_statuses::markdown_table());
}

#[test]
fn what_a_code_of_acs_becomes() {
    let document = expect_file!["../../../docs/carriers/acs.md"];
    check(&document, "ACS codes", &offhook_carrier::acs::result_codes_table());
}

#[test]
fn the_facts_of_the_journal() {
    let mut table = String::from("| code | fields | what happened |\n|---|---|---|\n");
    for (code, fields) in Fact::TABLE {
        let meaning = facts::MEANING.iter().find(|(known, _)| known == code);
        let (_, meaning) = meaning.unwrap_or_else(|| panic!("no word about {code} in docs/facts.rs"));
        // Of a ticket the event stream shows nothing.
        let shown = fields.iter().filter(|field| **field != "ticket");
        let fields: Vec<String> = shown.map(|field| format!("`{}`", on_the_wire(field))).collect();
        writeln!(table, "| `{code}` | {} | {meaning} |", fields.join(", ")).unwrap();
    }
    for (code, _) in facts::MEANING {
        assert!(Fact::TABLE.iter().any(|(known, _)| known == code), "{code} is no fact any more");
    }
    check(&expect_file!["../../../docs/calling/journal.md"], "facts", &table);
}

/// The event stream has the code of the fact in `code`.
fn on_the_wire(field: &str) -> &str {
    if field == "code" { "problem_code" } else { field }
}

#[test]
fn the_test_numbers() {
    let mut table = String::from(
        "| number | | what happens | outcome | end reason | answered by | task |\n|---|---|---|---|---|---|---|\n",
    );
    for TestNumber { number, title, behaviour, expected, .. } in NUMBERS {
        let reasons: Vec<String> = expected.end_reasons.iter().map(|reason| format!("`{reason}`")).collect();
        let answered_by = expected.answered_by.map_or("–".to_owned(), |by| format!("`{by}`"));
        let task = match (expected.status, expected.blocker) {
            (Some(status), Some(blocker)) => format!("`{status}`: `{blocker}`"),
            (status, _) => status.map_or(String::new(), |status| format!("`{status}`")),
        };
        let (reasons, outcome) = (reasons.join(" or "), expected.outcome);
        writeln!(
            table,
            "| {number} | {title} | {behaviour} | `{outcome}` | {reasons} | {answered_by} | {task} |"
        )
        .unwrap();
    }
    check(&expect_file!["../../../docs/calling/test-numbers.md"], "test numbers", &table);
}

/// Each stands for itself; only the files it names need not be there.
#[test]
fn every_configuration_in_the_documents_is_understood() {
    let env = Env::from([("TRUNK_PASSWORD", "x"), ("OPENAI_API_KEY", "x"), ("AZURE_OPENAI_API_KEY", "x")]);
    let mut examples = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for example in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            examples += 1;
            let Err(problems) = Config::parse(example, &env) else { continue };
            let problems = problems.to_string();
            let wrong: Vec<&str> =
                problems.lines().filter(|problem| !problem.contains("can't be read: No such file")).collect();
            assert!(wrong.is_empty(), "{}: {wrong:#?}\n{example}", document.display());
        }
    }
    assert!(examples > 5, "{examples} configurations were found");
}

/// A link to a file of the repository that is not there is a broken promise.
#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let target = document.parent().unwrap().join(path);
            assert!(target.exists(), "{} links to {link}, which is not there", document.display());
        }
    }
}

/// The documents of the root, `docs`, `examples`, `fuzz` and `bench`.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<PathBuf> = ["docs", "examples", "fuzz", "bench"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    found.extend(entries(&root).filter(is_markdown));
    while let Some(folder) = folders.pop() {
        found.extend(entries(&folder).filter(is_markdown));
        folders.extend(entries(&folder).filter(|path| path.is_dir() && !path.ends_with("target")));
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path())
}
