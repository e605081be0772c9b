//! What the result of a call is to name: a flat JSON Schema, read into the fields that the voice is asked for.

use offhook_core::brief::{FieldKind, ResultField};
use serde_json::{Map, Value};

/// A voice can't keep more in mind.
const MOST_FIELDS: usize = 20;
const MOST_CHOICES: usize = 50;
const LONGEST_NAME: usize = 64;
/// Of a description, or of one choice.
const LONGEST_TEXT: usize = 500;

/// The fields in the order of their names, or what is wrong with the schema and what to write instead.
pub(super) fn fields(schema: &Value) -> Result<Vec<ResultField>, String> {
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {}
        _ => return Err("type must be object".to_owned()),
    }
    let properties = match schema.get("properties").and_then(Value::as_object) {
        Some(properties) if !properties.is_empty() => properties,
        _ => return Err("properties must name at least one field".to_owned()),
    };
    if properties.len() > MOST_FIELDS {
        return Err(format!("properties must name at most {MOST_FIELDS} fields"));
    }
    let required = required(schema.get("required"), properties)?;
    properties
        .iter()
        .map(|(name, property)| {
            let mut field = field(name, property).map_err(|why| format!("properties.{name} {why}"))?;
            field.required = required.contains(&name.as_str());
            Ok(field)
        })
        .collect()
}

fn required<'a>(written: Option<&'a Value>, known: &Map<String, Value>) -> Result<Vec<&'a str>, String> {
    let Some(written) = written.filter(|written| !written.is_null()) else { return Ok(Vec::new()) };
    let names = written.as_array().ok_or("required must be a list of names")?;
    let mut required = Vec::with_capacity(names.len());
    for name in names {
        let name = name.as_str().ok_or("required must be a list of names")?;
        if !known.contains_key(name) {
            return Err("required names a field that is not among the properties".to_owned());
        }
        required.push(name);
    }
    Ok(required)
}

fn field(name: &str, property: &Value) -> Result<ResultField, String> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !is_name || name.is_empty() || name.len() > LONGEST_NAME {
        return Err(format!("must have a name of 1 to {LONGEST_NAME} letters, digits, _ and -"));
    }
    let property = property.as_object().ok_or("must be an object with a type")?;
    let description = match property.get("description") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.len() <= LONGEST_TEXT => Some(text.trim().to_owned()),
        Some(_) => return Err(format!("must have a description of at most {LONGEST_TEXT} bytes")),
    };
    let description = description.filter(|text| !text.is_empty());
    Ok(ResultField { name: name.to_owned(), kind: kind(property)?, required: false, description })
}

fn kind(property: &Map<String, Value>) -> Result<FieldKind, String> {
    const KINDS: &str = "must have type string, number, integer, boolean, or array with items of type string, or an \
                         enum of texts; nothing is nested";
    if let Some(choices) = property.get("enum") {
        return choices_of(choices).map(FieldKind::Choice);
    }
    match one_type(property.get("type")) {
        Some("string") => Ok(FieldKind::Text),
        Some("number") => Ok(FieldKind::Number),
        Some("integer") => Ok(FieldKind::Integer),
        Some("boolean") => Ok(FieldKind::Boolean),
        Some("array") => match property.get("items").and_then(|items| one_type(items.get("type"))) {
            Some("string") => Ok(FieldKind::TextList),
            _ => Err(KINDS.to_owned()),
        },
        _ => Err(KINDS.to_owned()),
    }
}

/// `"string"`, or `["string", "null"]`: a field that is not known is left out, whatever the schema says.
fn one_type(written: Option<&Value>) -> Option<&str> {
    match written? {
        Value::String(name) => Some(name),
        Value::Array(names) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            let first = names.next()?;
            names.next().is_none().then_some(first)
        }
        _ => None,
    }
}

fn choices_of(written: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("must have an enum of 1 to {MOST_CHOICES} texts of at most {LONGEST_TEXT} bytes");
    let choices = written.as_array().ok_or_else(wrong)?;
    let fits = |text: &&str| !text.trim().is_empty() && text.len() <= LONGEST_TEXT;
    let choices: Vec<String> = choices
        .iter()
        .filter(|choice| !choice.is_null())
        .map(|choice| choice.as_str().filter(fits).map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    if (1..=MOST_CHOICES).contains(&choices.len()) { Ok(choices) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_flat() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "price": { "type": "number", "description": " In dollars. ", "minimum": 0 },
                "seats": { "type": ["integer", "null"] },
                "open": { "type": "boolean" },
                "times": { "type": "array", "items": { "type": "string" } },
                "when": { "type": "string", "description": "" },
                "size": { "enum": ["small", "large", null] },
            },
            "required": ["price", "when"],
        });
        let shown: Vec<String> = fields(&schema)
            .unwrap()
            .iter()
            .map(|field| {
                let mark = if field.required { "!" } else { "" };
                format!("{}{mark} {:?} {:?}", field.name, field.kind, field.description.as_deref())
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"open Boolean None"#,
                r#"price! Number Some("In dollars.")"#,
                r#"seats Integer None"#,
                r#"size Choice(["small", "large"]) None"#,
                r#"times TextList None"#,
                r#"when! Text None"#,
            ]
        );
    }

    #[test]
    fn what_can_t_be_asked_for_is_named() {
        let object = |properties: Value| json!({ "type": "object", "properties": properties });
        let many: Map<String, Value> =
            (0..21).map(|n| (format!("f{n}"), json!({ "type": "string" }))).collect();
        for (schema, expected) in [
            (json!({}), "type must be object"),
            (json!({ "type": "array" }), "type must be object"),
            (json!({ "type": "object" }), "properties must name at least one field"),
            (object(json!({})), "properties must name at least one field"),
            (object(json!([])), "properties must name at least one field"),
            (object(Value::Object(many)), "at most 20 fields"),
            (object(json!({ "a": "string" })), "properties.a must be an object"),
            (object(json!({ "a": { "type": "object", "properties": {} } })), "properties.a must have type"),
            (object(json!({ "a": { "type": "array", "items": { "type": "object" } } })), "properties.a must"),
            (object(json!({ "a": { "type": ["string", "number"] } })), "properties.a must have type"),
            (object(json!({ "a": { "anyOf": [] } })), "properties.a must have type"),
            (object(json!({ "a": { "enum": [] } })), "properties.a must have an enum"),
            (object(json!({ "a": { "enum": [1] } })), "properties.a must have an enum"),
            (object(json!({ "a b": { "type": "string" } })), "must have a name"),
            (object(json!({ "": { "type": "string" } })), "must have a name"),
            (object(json!({ "a": { "type": "string", "description": 3 } })), "must have a description"),
            (
                json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["b"] }),
                "required names a field",
            ),
            (
                json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": "a" }),
                "required must be a list",
            ),
        ] {
            let why = fields(&schema).unwrap_err();
            assert!(why.contains(expected), "{schema}: {why}");
        }
    }
}
