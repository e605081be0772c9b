//! The limits of one owner, as the store keeps them: a JSON object of what differs from the configuration.

use std::time::Duration;

use offhook_core::policy::OwnerLimits;
use serde_json::{Map, Value};

/// Every field an owner's limits may have.
pub const FIELDS: [&str; 6] = [
    "minutes_per_day",
    "calls_per_day",
    "spend_per_day",
    "concurrent_calls",
    "talk_limit_seconds",
    "unlimited",
];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct LimitsError {
    pub field: String,
    pub why: &'static str,
}

/// What the store keeps, read. What can't be read is logged and limits as the configuration does.
pub fn stored(json: Option<&str>) -> OwnerLimits {
    let Some(json) = json else { return OwnerLimits::default() };
    let read = serde_json::from_str::<Map<String, Value>>(json).map_err(|error| error.to_string());
    let read = read.and_then(|fields| parse(&fields).map_err(|error| error.to_string()));
    read.unwrap_or_else(|error| {
        tracing::error!(error, "the limits of an owner can't be read; those of the configuration hold");
        OwnerLimits::default()
    })
}

pub fn parse(fields: &Map<String, Value>) -> Result<OwnerLimits, LimitsError> {
    let wrong = |field: &str, why| LimitsError { field: field.to_owned(), why };
    if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Err(wrong(unknown, "is no limit of an owner"));
    }
    let count = |field: &str| match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
            count.map(Some).ok_or_else(|| wrong(field, "must be a whole number, 0 or more"))
        }
    };
    let spend = match fields.get("spend_per_day") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let sum = value.as_str().and_then(|text| text.parse().ok());
            Some(sum.ok_or_else(|| wrong("spend_per_day", "must be a sum in quotes, like \"5.00\""))?)
        }
    };
    let unlimited = match fields.get("unlimited") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(unlimited)) => *unlimited,
        Some(_) => return Err(wrong("unlimited", "must be true or false")),
    };
    let seconds =
        |count: Option<u32>, each: u64| count.map(|count| Duration::from_secs(each * u64::from(count)));
    Ok(OwnerLimits {
        concurrent_calls: count("concurrent_calls")?,
        calls_per_day: count("calls_per_day")?,
        talk_per_day: seconds(count("minutes_per_day")?, 60),
        spend_per_day: spend,
        talk_limit: seconds(count("talk_limit_seconds")?, 1),
        unlimited,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_holds() {
        let all = r#"{"minutes_per_day": 60, "calls_per_day": 5, "spend_per_day": "2.50",
            "concurrent_calls": 2, "talk_limit_seconds": 300}"#;
        let expected = OwnerLimits {
            concurrent_calls: Some(2),
            calls_per_day: Some(5),
            talk_per_day: Some(Duration::from_secs(3_600)),
            spend_per_day: "2.5".parse().ok(),
            talk_limit: Some(Duration::from_secs(300)),
            unlimited: false,
        };
        assert_eq!(stored(Some(all)), expected);
        let none = OwnerLimits::default();
        for (json, expected) in [
            ("{}", none),
            (r#"{"calls_per_day": 0}"#, OwnerLimits { calls_per_day: Some(0), ..none }),
            (r#"{"calls_per_day": null}"#, none),
            (r#"{"unlimited": true}"#, OwnerLimits { unlimited: true, ..none }),
            (r#"{"unlimited": 1}"#, none),
            (r#"{"calls_per_day": -1}"#, none),
            (r#"{"spend_per_day": 5}"#, none),
            (r#"{"calls_a_day": 5}"#, none),
            ("[]", none),
            ("", none),
        ] {
            assert_eq!(stored(Some(json)), expected, "{json}");
        }
    }
}
