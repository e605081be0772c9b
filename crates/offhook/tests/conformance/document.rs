//! The OpenAPI document, as the tables are held against it.

use serde_json::{Map, Value};

/// One operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// As the document writes it, with `{id}`.
    pub path: String,
    /// The schema of the object it takes; null where it takes none.
    pub body: Value,
    /// Whether it may be asked without a body.
    pub is_optional: bool,
}

/// What stands for `{id}`.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    pub call: &'a str,
    pub campaign: &'a str,
    pub schedule: &'a str,
    pub approval: &'a str,
    pub key: &'a str,
}

impl Ids<'_> {
    /// One for all.
    pub fn all(id: &str) -> Ids<'_> {
        Ids { call: id, campaign: id, schedule: id, approval: id, key: id }
    }

    pub fn fill(&self, template: &str) -> String {
        let id = match template.split('/').nth(1) {
            Some("campaigns") => self.campaign,
            Some("schedules") => self.schedule,
            Some("approvals") => self.approval,
            Some("me") => self.key,
            _ => self.call,
        };
        template.replace("{id}", id)
    }
}

impl Operation {
    /// What a row calls it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

pub fn document() -> Value {
    serde_json::to_value(offhook::http::document()).unwrap()
}

pub fn operations() -> Vec<Operation> {
    let document = document();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let (method, path) = (method.to_uppercase(), path.clone());
            let wanted = &operation["requestBody"];
            let body = inner(&document, &wanted["content"]["application/json"]["schema"]);
            let body = body.cloned().unwrap_or(Value::Null);
            found.push(Operation { method, path, body, is_optional: wanted["required"] != true });
        }
    }
    assert!(found.len() > 15, "the document is empty");
    found
}

/// The schema itself, where this is a reference to it.
pub fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => resolved(document, document.pointer(place.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

/// The schema of the object that a value may be, where there is one.
pub fn inner<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let schema = resolved(document, schema);
    if schema["properties"].is_object() {
        return Some(schema);
    }
    let parts = ["oneOf", "anyOf"].iter().filter_map(|of| schema[*of].as_array()).flatten();
    parts.filter_map(|part| inner(document, part)).next()
}

/// Fields of an object and their schemas.
pub fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"].as_object().cloned().unwrap_or_default()
}

/// The same names on both sides, or which differ.
#[track_caller]
pub fn same(rows: &[String], documented: &[String], what: &str) {
    let missing: Vec<&String> = documented.iter().filter(|name| !rows.contains(name)).collect();
    let extra: Vec<&String> = rows.iter().filter(|name| !documented.contains(name)).collect();
    assert!(missing.is_empty(), "{what}: write rows about {missing:#?}");
    assert!(extra.is_empty(), "{what}: the document has no {extra:#?}");
}
