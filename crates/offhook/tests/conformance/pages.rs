//! The pages that are made of the product: `docs/api.md` of the OpenAPI document, and in `docs/pains.md` every test
//! that is named exists.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use offhook::http::CODES;
use serde_json::Value;

use crate::document::{document, properties, resolved};

/// The page with this text between `<!-- generated: NAME -->` and `<!-- end -->`.
fn with(page: &str, name: &str, generated: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin:?} in the page"));
    let (_, after) = rest.split_once("<!-- end -->").expect("the generated part ends");
    format!("{before}{begin}{}\n<!-- end -->{after}", generated.trim_end())
}

/// `UPDATE_EXPECT=1` writes it.
#[test]
fn the_page_of_the_api_has_every_route_field_and_code() {
    let page = expect_file!["../../../../docs/api.md"];
    let document = document();
    let mut text = with(&page.data(), "routes", &routes(&document));
    text = with(&text, "fields", &fields(&document));
    page.assert_eq(&with(&text, "errors", &codes()));
}

fn routes(document: &Value) -> String {
    let mut table = String::from("| | key | |\n|---|---|---|\n");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schemes = operation["security"].as_array().into_iter().flatten();
            let mut names = schemes.map(|scheme| scheme.get("key").is_some());
            let key = match (names.next(), names.next()) {
                (Some(true), _) => "yes",
                (Some(false), Some(true)) => "optional",
                _ => "no",
            };
            let summary = in_a_cell(&operation["summary"]);
            let summary = summary.trim_end_matches('.');
            writeln!(table, "| `{} {path}` | {key} | {summary} |", method.to_uppercase()).unwrap();
        }
    }
    table
}

/// A text of the document, on one line.
fn in_a_cell(text: &Value) -> String {
    text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What a field holds, in a word or two.
fn type_of(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    let own = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let parts = ["oneOf", "anyOf"].iter().filter_map(|of| schema[*of].as_array()).flatten();
    let mut kinds: Vec<String> = own.into_iter().chain(parts.map(|part| type_of(document, part))).collect();
    kinds.retain(|kind| kind != "null" && !kind.is_empty());
    kinds.dedup();
    kinds.join(" or ")
}

/// What a call may be asked for with.
fn fields(document: &Value) -> String {
    let mut table = String::from("| field | | |\n|---|---|---|\n");
    let schema = &document["components"]["schemas"]["PlaceCall"];
    let required = schema["required"].as_array().unwrap();
    for (name, field) in properties(schema) {
        let kind = type_of(document, &field);
        let needed = if required.contains(&name.as_str().into()) { ", **required**" } else { "" };
        writeln!(table, "| `{name}` | {kind}{needed} | {} |", in_a_cell(&field["description"])).unwrap();
    }
    table
}

fn codes() -> String {
    let mut table = String::from("| status | code | |\n|---|---|---|\n");
    for code in CODES {
        writeln!(table, "| {} | `{}` | {} |", code.status, code.code, code.meaning).unwrap();
    }
    table
}

/// Whether `product/killed.rs::a_test` is one: a path below a `tests` folder or `src`, and a test of that file.
pub fn names_a_test(name: &str) -> bool {
    let Some((file, test)) = name.split_once("::") else { return false };
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (krate, file) = match file.split_once('/') {
        Some((krate, rest)) if krate.starts_with("offhook-") => (krate, rest),
        _ => ("offhook", file),
    };
    let places = ["tests", "src"].map(|folder| crates.join(krate).join(folder).join(file));
    let texts = places.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts
        .into_iter()
        .any(|text| text.contains(&format!("fn {test}(")) || text.contains(&format!("fn {test}<")))
}

/// `file.rs::test` between backticks, anywhere in a page.
fn tests_named(page: &str) -> Vec<&str> {
    page.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::")).collect()
}

#[test]
fn every_pain_has_a_test_that_exists() {
    let page = include_str!("../../../../docs/pains.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    for number in 1..=12 {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {number} |")));
        let row = row.unwrap_or_else(|| panic!("no row about pain {number}"));
        assert!(!tests_named(row).is_empty(), "nothing shows an answer to pain {number}: {row}");
    }
    for test in tests_named(page) {
        assert!(names_a_test(test), "there is no test {test}");
    }
    assert!(tests_named(page).len() >= 24);
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(names_a_test("conformance/pages.rs::names_a_test"));
    assert!(!names_a_test("conformance/pages.rs::no_such_test"));
    assert!(!names_a_test("conformance/nothing.rs::names_a_test"));
    assert!(!names_a_test("names_a_test"));
}
