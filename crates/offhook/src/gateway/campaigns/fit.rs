//! Which answer is what was looked for, and after which no other call may be made.

use offhook_core::Outcome;
use offhook_core::brief::{FieldKind, ResultField};
use offhook_core::journal::TaskStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StartCampaign, wrong};
use crate::gateway::{CallView, Lifecycle, PlaceCallError, ResultView, result_schema};

/// What one field of the result must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    pub field: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

impl Fit {
    fn accepts(&self, value: &Value) -> bool {
        let within = |limit: Option<f64>, fits: fn(f64, f64) -> bool| {
            limit.is_none_or(|limit| value.as_f64().is_some_and(|value| fits(value, limit)))
        };
        self.equals.as_ref().is_none_or(|wanted| same(wanted, value))
            && within(self.at_most, |value, limit| value <= limit)
            && within(self.at_least, |value, limit| value >= limit)
    }
}

/// However a text is written, and a number.
fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::String(wanted), Value::String(value)) => {
            wanted.trim().to_lowercase() == value.trim().to_lowercase()
        }
        (Value::Number(wanted), Value::Number(value)) => wanted.as_f64() == value.as_f64(),
        (wanted, value) => wanted == value,
    }
}

/// Whether this call found what was looked for.
pub(super) fn fits(fit: Option<&Fit>, call: &CallView) -> bool {
    let Some(result) = &call.result else { return false };
    match fit {
        None => result.status == TaskStatus::Achieved,
        Some(fit) => {
            let known = result.fields.iter().find(|field| field.name == fit.field);
            matches!(result.status, TaskStatus::Achieved | TaskStatus::Partly)
                && known.is_some_and(|field| fit.accepts(&field.value))
        }
    }
}

/// Whether another call could commit to the same once more: unless nobody picked up, or the voice has said that it
/// came to nothing, and agreed to nothing.
pub(super) fn may_have_committed(call: &CallView) -> bool {
    let answered = call.end.as_ref().is_none_or(|end| end.outcome == Outcome::Answered);
    if call.lifecycle == Lifecycle::Finalized && !answered {
        return false;
    }
    let came_to_nothing = |result: &ResultView| {
        matches!(result.status, TaskStatus::Blocked | TaskStatus::Failed)
            && result.commitments.is_empty()
            && result.breaches.is_empty()
    };
    !call.result.as_ref().is_some_and(came_to_nothing)
}

/// Whether the voice agreed to something, although it was told to agree to nothing.
pub(super) fn has_committed(call: &CallView) -> bool {
    call.result.as_ref().is_some_and(|result| !result.breaches.is_empty() || !result.commitments.is_empty())
}

/// The fields that the result is to name.
pub(super) fn fields(start: &StartCampaign) -> Result<Vec<ResultField>, PlaceCallError> {
    let Some(schema) = &start.call.result_schema else { return Ok(Vec::new()) };
    result_schema::fields(schema).map_err(|why| PlaceCallError::InvalidField { field: "result_schema", why })
}

/// The columns of the comparison; also checks what fits.
pub(super) fn compared(start: &StartCampaign, fields: &[ResultField]) -> Result<Vec<String>, PlaceCallError> {
    let known = |name: &String| fields.iter().find(|field| field.name == *name);
    if let Some(fit) = &start.fit {
        let Some(field) = known(&fit.field) else {
            return wrong("fit", "names a field that is not in result_schema");
        };
        if fit.equals.is_none() && fit.at_most.is_none() && fit.at_least.is_none() {
            return wrong("fit", "needs equals, at_most or at_least");
        }
        let limited = fit.at_most.is_some() || fit.at_least.is_some();
        if limited && !matches!(field.kind, FieldKind::Number | FieldKind::Integer) {
            return wrong("fit", "has at_most or at_least for a field that is no number");
        }
    }
    match &start.compare {
        None => Ok(fields.iter().map(|field| field.name.clone()).collect()),
        Some(names) if names.iter().all(|name| known(name).is_some()) => Ok(names.clone()),
        Some(_) => wrong("compare", "names a field that is not in result_schema"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fit(rule: Value) -> Fit {
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn a_field_fits() {
        for (rule, value, expected) in [
            (json!({ "field": "a", "equals": "Blue" }), json!(" blue"), true),
            (json!({ "field": "a", "equals": "Blue" }), json!("red"), false),
            (json!({ "field": "a", "equals": true }), json!(true), true),
            (json!({ "field": "a", "equals": true }), json!("true"), false),
            (json!({ "field": "a", "equals": 40 }), json!(40.0), true),
            (json!({ "field": "a", "at_most": 40 }), json!(40), true),
            (json!({ "field": "a", "at_most": 40 }), json!(40.5), false),
            (json!({ "field": "a", "at_most": 40 }), json!("cheap"), false),
            (json!({ "field": "a", "at_least": 2, "at_most": 4 }), json!(3), true),
            (json!({ "field": "a", "at_least": 2, "at_most": 4 }), json!(1), false),
        ] {
            assert_eq!(fit(rule.clone()).accepts(&value), expected, "{rule} {value}");
        }
    }

    #[test]
    fn what_is_compared_is_in_the_result() {
        let mut start = StartCampaign::default();
        start.call.result_schema = Some(json!({
            "type": "object",
            "properties": { "price": { "type": "number" }, "colour": { "type": "string" } },
        }));
        let known = fields(&start).unwrap();
        assert_eq!(compared(&start, &known).unwrap(), ["colour", "price"]);
        for (compare, rule, expected) in [
            (json!(["price"]), json!({ "field": "price", "at_most": 9 }), None),
            (json!(["size"]), json!({ "field": "price", "at_most": 9 }), Some("compare: names a field")),
            (json!(["price"]), json!({ "field": "size", "at_most": 9 }), Some("fit: names a field")),
            (json!(["price"]), json!({ "field": "price" }), Some("fit: needs equals")),
            (json!(["price"]), json!({ "field": "colour", "at_most": 9 }), Some("fit: has at_most")),
        ] {
            start.compare = Some(serde_json::from_value(compare).unwrap());
            start.fit = Some(fit(rule.clone()));
            let told = compared(&start, &known).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(told, None, "{rule}"),
                Some(why) => assert!(told.clone().unwrap_or_default().starts_with(why), "{rule}: {told:?}"),
            }
        }
    }
}
