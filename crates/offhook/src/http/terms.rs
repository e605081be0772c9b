//! The fields of a call that say what it is bound to: what the voice may agree to, what the result names, when it is
//! placed.

use offhook_core::Timestamp;
use offhook_core::brief::Commit;
use serde_json::Value;

use super::error::ApiError;
use crate::agents::Wanted;

/// As long as a boundary may be.
const LONGEST_BOUNDARY: usize = 2_000;
const MOST_AGENTS: usize = 20;

fn wrong<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::bad_request("invalid_request", message))
}

/// What the voice may agree to; `None` where nothing is said about it.
pub fn may_commit(value: &Value) -> Result<Option<Commit>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(false) => Ok(Some(Commit::Never)),
        Value::Bool(true) => Ok(Some(Commit::Within(None))),
        Value::String(limits) if limits.len() > LONGEST_BOUNDARY => {
            wrong(format!("may_commit must be at most {LONGEST_BOUNDARY} bytes"))
        }
        Value::String(limits) if !limits.trim().is_empty() => {
            Ok(Some(Commit::Within(Some(limits.trim().to_owned()))))
        }
        _ => wrong("may_commit must be true, false, or a text that says what the voice may agree to"),
    }
}

/// Which agents may be asked; whether they exist, the gateway says.
pub fn agents(value: &Value) -> Result<Wanted, ApiError> {
    let text =
        |name: &Value| name.as_str().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    match value {
        Value::Null => Ok(Wanted::AsUsual),
        Value::Bool(true) => Ok(Wanted::Everybody),
        Value::Bool(false) => Ok(Wanted::Nobody),
        Value::Array(names) => match names.iter().map(text).collect::<Option<Vec<_>>>() {
            Some(names) if !names.is_empty() && names.len() <= MOST_AGENTS => Ok(Wanted::These(names)),
            _ => wrong(format!("agents must name one to {MOST_AGENTS} agents")),
        },
        _ => wrong("agents must be true, false, or a list of names"),
    }
}

/// A JSON Schema; what is in it, the gateway says.
pub fn result_schema(value: Value) -> Result<Option<Value>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => Ok(Some(value)),
        _ => wrong("result_schema must be a JSON Schema with type object"),
    }
}

/// A point in time; a date alone is none, because which day it is depends on where one asks.
pub fn instant(field: &'static str, value: &Value) -> Result<Option<Timestamp>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => match text.trim().parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Some(Timestamp::from_unix_micros(at.as_microsecond()))),
            Err(_) => {
                wrong(format!("{field} must be an instant with offset, e.g. 2026-11-23T09:00:00-08:00"))
            }
        },
        _ => wrong(format!("{field} must be an instant with offset, e.g. 2026-11-23T09:00:00-08:00")),
    }
}

/// True or false; a null is as if it were left out.
pub fn flag(field: &'static str, code: &'static str, value: &Value) -> Result<Option<bool>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        _ => Err(ApiError::bad_request(code, format!("{field} must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_voice_may_agree_to() {
        let within = |limits: &str| Some(Commit::Within(Some(limits.to_owned())));
        for (written, expected) in [
            (json!(null), None),
            (json!(false), Some(Commit::Never)),
            (json!(true), Some(Commit::Within(None))),
            (json!(" A table for two, up to 40 dollars. "), within("A table for two, up to 40 dollars.")),
        ] {
            assert_eq!(may_commit(&written).unwrap(), expected, "{written}");
        }
        for written in [json!(""), json!(" "), json!(1), json!([]), json!({}), json!("x".repeat(2_001))] {
            assert_eq!(may_commit(&written).unwrap_err().body().error.code, "invalid_request", "{written}");
        }
    }

    #[test]
    fn which_agents_may_be_asked() {
        let these = |names: &[&str]| Wanted::These(names.iter().map(|name| (*name).to_owned()).collect());
        for (written, expected) in [
            (json!(null), Wanted::AsUsual),
            (json!(true), Wanted::Everybody),
            (json!(false), Wanted::Nobody),
            (json!([" main ", "house"]), these(&["main", "house"])),
        ] {
            assert_eq!(agents(&written).unwrap(), expected, "{written}");
        }
        for written in [json!([]), json!([""]), json!([1]), json!("main"), json!({}), json!(vec!["a"; 21])] {
            assert_eq!(agents(&written).unwrap_err().body().error.code, "invalid_request", "{written}");
        }
    }

    #[test]
    fn instants_have_an_offset() {
        let at = |text: &str| instant("not_before", &json!(text)).map(|at| at.unwrap().unix_micros());
        assert_eq!(at("2026-11-23T09:00:00-08:00").unwrap(), at("2026-11-23T17:00:00Z").unwrap());
        for text in ["2026-11-23", "2026-11-23T09:00:00", "tomorrow", ""] {
            assert!(at(text).is_err(), "{text}");
        }
        assert!(instant("not_before", &json!(1_763_888_400)).is_err());
        assert!(instant("not_before", &json!(null)).unwrap().is_none());
    }
}
