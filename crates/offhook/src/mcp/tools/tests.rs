//! The table of tools, looked at as a whole.

use super::*;

#[test]
fn the_tools_of_the_contract_keep_their_names() {
    let names: Vec<&str> = TOOLS.iter().map(|row| row.name).collect();
    assert_eq!(
        names[..13],
        [
            "place_call",
            "place_call_and_wait",
            "get_call",
            "get_call_transcript",
            "hangup_call",
            "list_calls",
            "get_recording",
            "get_balance",
            "get_account_link_url",
            "set_api_key",
            "get_calling_guide",
            "get_call_settings",
            "update_call_settings",
        ]
    );
    let hints = |name: &str| row(name).unwrap().hint.annotations();
    assert_eq!(hints("get_call").read_only_hint, Some(true));
    let hang_up = hints("hangup_call");
    assert_eq!((hang_up.destructive_hint, hang_up.idempotent_hint), (Some(true), Some(true)));
    assert_eq!((hang_up.read_only_hint, hang_up.open_world_hint), (Some(false), Some(true)));
    assert_eq!(hints("place_call").open_world_hint, Some(true));
}

#[test]
fn every_schema_is_an_object_with_words() {
    for row in TOOLS {
        let schema = Value::Object(row.schema());
        assert_eq!(schema["type"], "object", "{}", row.name);
        let properties = schema["properties"].as_object().unwrap();
        let count = row.params().count();
        assert_eq!(properties.len(), count, "{} names a parameter twice", row.name);
        assert!(properties.values().all(|property| property["description"].as_str().unwrap().len() > 4));
        assert!(row.says.len() > 20 && row.says.ends_with('.'), "{}", row.name);
    }
    assert_eq!(listed(true).count(), TOOLS.len());
    assert!(listed(false).all(|tool| tool.name != "set_api_key"));
}

#[test]
fn what_does_not_fit_is_named() {
    let check =
        |name: &str, arguments: Value| row(name).unwrap().check(arguments.as_object().unwrap()).unwrap_err();
    let unknown = check("get_call", json!({ "call_id": "1", "id": "1" }));
    assert_eq!(unknown, "get_call has no argument id; it takes: call_id");
    assert!(check("place_call", json!({ "to": "+14155550100" })).starts_with("place_call needs task: "));
    assert_eq!(check("get_balance", json!({ "x": 1 })), "get_balance has no argument x; it takes: nothing");
}
