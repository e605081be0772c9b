//! Every secret may be given by reference, and is shown nowhere.

use offhook::config::{Config, Env, Written, entries_json, entries_text};
use secrecy::ExposeSecret as _;

use super::rig::setup;
use crate::acs::rig::{CALLEE, INCOMING_TOKEN};

const SECRETS: [(&str, &str); 4] = [
    ("ACS", "endpoint=https://contoso.communication.azure.com/;accesskey=YS12ZXJ5LXNlY3JldC1rZXk="),
    ("ENTRA", "a very secret client secret"),
    ("TUNNEL", "a very secret tunnel token"),
    ("GRID", "a very secret token of the subscription"),
];

#[test]
fn every_secret_may_be_given_by_reference_and_is_shown_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    for (name, secret) in SECRETS {
        std::fs::write(dir.path().join(name), format!("{secret}\n")).unwrap();
    }
    let keys = ["connection_string", "client_secret", "tunnel_token", "incoming_token"];
    let by = |reference: &dyn Fn(&str, &str) -> String| {
        let pairs = keys.iter().zip(SECRETS);
        let lines: String =
            pairs.map(|(key, (name, secret))| format!("{key} = {:?}\n", reference(name, secret))).collect();
        format!(
            "[carrier.acs]\n{lines}public_url = \"https://line.example.com\"\n\
             tunnel = \"cloudflared\"\n[[line]]\nnumber = \"+12025550134\"\n"
        )
    };
    let path = |name: &str| dir.path().join(name).display().to_string();
    for (how, text) in [
        ("by value", by(&|_, secret| secret.to_owned())),
        ("by variable", by(&|name, _| format!("${{{name}}}"))),
        ("by file", by(&|name, _| format!("file:{}", path(name)))),
    ] {
        let env: Env = SECRETS.into_iter().collect();
        let config = Config::parse(&text, &env).unwrap_or_else(|error| panic!("{how}: {error}"));
        let acs = config.acs.as_ref().unwrap();
        let token = acs.incoming.token.as_ref().unwrap();
        assert_eq!(token.expose_secret(), SECRETS[3].1, "{how}");
        assert_eq!(
            acs.tunnel.as_ref().unwrap().token.as_ref().unwrap().expose_secret(),
            SECRETS[2].1,
            "{how}"
        );
        assert_eq!(acs.carrier.endpoint, "https://contoso.communication.azure.com", "{how}");
        let written = Written::parse(None, &text, &env).unwrap();
        let shown =
            format!("{}{}{config:?}{written:?}{env:?}", entries_text(&written), entries_json(&written));
        for (_, secret) in SECRETS {
            let secret = secret.rsplit_once("accesskey=").map_or(secret, |(_, key)| key);
            assert!(!shown.contains(secret), "{how}: {secret} is shown");
        }
    }
}

/// Every file below a directory.
fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: std::path::PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flat_map(below).collect()
}

#[tokio::test]
async fn no_file_of_ours_holds_one() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    person.hang_up();
    call.over().await;
    rig.app.shutdown().await;
    let files = files(&rig.config.data_dir);
    assert!(files.iter().any(|file| file.ends_with("offhook.db")));
    let access_key = rig.acs.access_key();
    for secret in [access_key.as_str(), INCOMING_TOKEN, "sk-test-not-a-real-key"] {
        for file in &files {
            let bytes = std::fs::read(file).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", file.display());
        }
    }
}

#[test]
fn the_names_of_another_products_document_stand_for_ours() {
    let env: Env = [
        ("ACS_CONNECTION_STRING", SECRETS[0].1),
        ("ACS_SOURCE_NUMBER", "+12025550134"),
        ("ACS_CALLBACK_TOKEN", SECRETS[3].1),
        ("OFFHOOK_CARRIER_ACS_PUBLIC_URL", "https://line.example.com"),
    ]
    .into_iter()
    .collect();
    let config = Config::parse("", &env).unwrap_or_else(|error| panic!("{error}"));
    let acs = config.acs.unwrap();
    assert!(!config.sandbox && config.sip.is_none());
    assert_eq!(acs.carrier.lines[0].number.as_e164(), "+12025550134");
    assert_eq!(acs.incoming.token.unwrap().expose_secret(), SECRETS[3].1);
}

#[test]
fn what_would_leave_a_door_open_is_no_configuration() {
    let base = "connection_string = \"endpoint=https://contoso.communication.azure.com/;accesskey=a2V5a2U=\"";
    let nowhere = "[carrier.acs]\npublic_url = \"https://line.example.com\"\n";
    let error = Config::parse(nowhere, &Env::default()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("which resource is meant?"), "{error}");
    for (lines, problem) in [
        ("public_url = \"http://line.example.com\"", "must begin with https://"),
        ("public_url = \"https://line.example.com?x\"", "must begin with https://"),
        ("", "is missing: the https:// address"),
        ("tunnel = \"cloudflared\"\ntunnel_name = \"line\"", "this tunnel does not say its address"),
        ("tunnel = \"ngrok\"\nincoming_token = \"short\"", "is too short: 16 characters"),
        ("tunnel = \"ngrok\"\nkeys_url = \"http://keys.example\"", "must begin with https://"),
        ("tunnel = \"ngrok\"\nincoming_tenant_id = \"t\"", "incoming_audience is missing"),
        (
            "tunnel = \"ngrok\"\nincoming_audience = \"a\"\nincoming_tenant_id = \"example.com\"",
            "must be the id of the tenant",
        ),
        ("tunnel = \"ngrok\"\nincoming_audience = \"a\"", "incoming_tenant_id is missing"),
        ("tunnel = \"ngrok\"\nauth = \"client_secret\"", "carrier.acs.tenant_id is missing"),
    ] {
        let text = format!("[carrier.acs]\n{base}\n{lines}\n[[line]]\nnumber = \"+12025550134\"\n");
        let error = Config::parse(&text, &Env::default()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(problem), "{lines}: {error}");
    }
}
