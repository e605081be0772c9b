//! Our signature and that of the vendor's own client, over the same requests.

use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use offhook_carrier::acs::{AccessKey, Signable};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const CREATE: &str = r#"{"targets":[{"phoneNumber":{"value":"+12025550171"}}],"callbackUri":"https://voice.example.org/a?token=b%2Bc"}"#;
const CONNECTION: &str = "/calling/callConnections/4f1f5f80-7b3a-4b57-9b3c-0e8c4a2f7d11";
const VERSION: &str = "?api-version=2026-03-12";

/// Method, host, path with query, body.
fn requests() -> Vec<(&'static str, &'static str, String, String)> {
    let of =
        |method, host, path: &str, body: &str| (method, host, format!("{path}{VERSION}"), body.to_owned());
    let usual = "contoso.communication.azure.com";
    vec![
        of("POST", usual, "/calling/callConnections", CREATE),
        of("POST", usual, "/calling/callConnections:answer", r#"{"incomingCallContext":"a.b."}"#),
        of("POST", "contoso.germany.communication.azure.com", "/calling/callConnections:reject", "{}"),
        of("POST", "127.0.0.1:8080", "/calling/callConnections:redirect", "{}"),
        of("GET", usual, CONNECTION, ""),
        of("DELETE", usual, CONNECTION, ""),
        of("POST", usual, &format!("{CONNECTION}:terminate"), ""),
        of("GET", usual, &format!("{CONNECTION}/participants/4%3A%2B12025550171"), ""),
        of("POST", usual, &format!("{CONNECTION}:sendDtmfTones"), r#"{"tones":["one","pound"]}"#),
        (
            "POST",
            usual,
            format!("{CONNECTION}:transferToParticipant?api-version=2025-05-15&a=b%20c"),
            "{}".to_owned(),
        ),
        of("POST", usual, "/calling/callConnections", r#"{"sourceDisplayName":"Zoë & 東京"}"#),
        of(
            "POST",
            usual,
            "/calling/callConnections",
            &format!(r#"{{"operationContext":"{}"}}"#, "x".repeat(20_000)),
        ),
    ]
}

const DATES: [&str; 2] = ["Fri, 20 Nov 2026 12:39:28 GMT", "Sun, 01 Mar 2026 00:00:00 GMT"];

/// What the vendor's policy makes of it: hash and authorization.
async fn vendor(key: &str, lines: &str) -> Vec<(String, String)> {
    let Some(python) = std::env::var_os("OFFHOOK_PYTHON") else {
        panic!(
            "OFFHOOK_PYTHON does not name a Python with the vendor's package; run ./test, which sets it up"
        );
    };
    let script = format!("{}/../offhook-testkit/python/acs_hmac.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(script).arg(key).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("OFFHOOK_PYTHON can be run");
    let mut stdin = child.stdin.take().unwrap();
    let (_, output) = tokio::join!(
        async {
            stdin.write_all(lines.as_bytes()).await.unwrap();
            drop(stdin);
        },
        child.wait_with_output()
    );
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let pair =
        |line: &str| line.split_once('\t').map(|(hash, rest)| (hash.to_owned(), rest.to_owned())).unwrap();
    printed.lines().map(pair).collect()
}

#[tokio::test]
async fn it_is_that_of_the_vendors_own_client() {
    let keys =
        ["k".repeat(32), "a key of sixty-four bytes, which is what the service gives out!!".to_owned()];
    for key in keys.map(|key| BASE64_STANDARD.encode(key)) {
        let access_key = AccessKey::parse(&key.as_str().into()).unwrap();
        let (mut lines, mut ours) = (String::new(), Vec::new());
        for date in DATES {
            for (method, host, path_and_query, body) in requests() {
                let signed = access_key.sign(&Signable {
                    method,
                    path_and_query: &path_and_query,
                    host,
                    date,
                    body: body.as_bytes(),
                });
                ours.push((signed.content_sha256, signed.authorization));
                let line = json!({
                    "method": method, "host": host, "path_and_query": path_and_query, "date": date, "body": body,
                });
                lines.push_str(&format!("{line}\n"));
            }
        }
        assert_eq!(ours.len(), 2 * requests().len());
        assert_eq!(ours, vendor(&key, &lines).await);
    }
}
