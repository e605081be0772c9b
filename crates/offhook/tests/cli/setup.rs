//! `offhook setup` against a fake resource, a fake Realtime server, and an `az` that keeps a subscription in a directory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use offhook_carrier::acs::{AccessKey, Signable};
use offhook_testkit::realtime::{FakeRealtime, Heard, Script};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::machine::{Machine, errors};

const KEY: &str = "c2VjcmV0IG9mIHRoZSByZXNvdXJjZQ==";
const NUMBERS: [(&str, &str); 3] =
    [("+12065550121", "none"), ("+12065550122", "outbound"), ("+12065550123", "inbound+outbound")];

/// A resource that knows its numbers, and answers nobody who does not sign with its key.
async fn resource(key: &'static str) -> MockServer {
    let server = MockServer::start().await;
    let host = server.address().to_string();
    let answer = move |request: &Request| {
        let header =
            |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (date, query) = (header("x-ms-date"), request.url.query().unwrap_or_default());
        let path_and_query = format!("{}?{query}", request.url.path());
        let key = AccessKey::parse(&key.to_owned().into()).unwrap();
        let signable = Signable {
            method: "GET",
            path_and_query: &path_and_query,
            host: &host,
            date,
            body: &request.body,
        };
        if key.sign(&signable).authorization != header("authorization") {
            return ResponseTemplate::new(401);
        }
        let numbers: Vec<Value> = NUMBERS
            .iter()
            .map(|(number, calling)| json!({ "phoneNumber": number, "capabilities": { "calling": calling, "sms": "none" } }))
            .collect();
        ResponseTemplate::new(200).set_body_json(json!({ "phoneNumbers": numbers }))
    };
    Mock::given(method("GET")).and(path("/phoneNumbers")).respond_with(answer).mount(&server).await;
    server
}

/// A machine with an `az` that is signed in: what it is told to make becomes a file, and every command is kept.
struct Azure {
    machine: Machine,
}

impl Azure {
    fn new(endpoint: &str, acs: &MockServer) -> Self {
        let machine = Machine::new();
        let script = AZ.replace("ENDPOINT", endpoint).replace("CONNECTION", &connection(acs));
        let script = script.replace("HOST", &acs.address().to_string());
        machine.file("bin/az", &script);
        machine.file("azure/log", "");
        let az = machine.home.path().join("bin/az");
        std::fs::set_permissions(az, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { machine }
    }

    fn dir(&self) -> PathBuf {
        self.machine.home.path().join("azure")
    }

    async fn run(&self, args: &[&str], typed: &str) -> Output {
        let mut command = self.machine.command(args);
        let path = format!("{}:/usr/bin:/bin", self.machine.home.path().join("bin").display());
        command.env("PATH", path).env("AZURE_DIR", self.dir());
        run(command, typed).await
    }

    /// The commands that change something.
    fn changes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.dir().join("log")).unwrap();
        let changes =
            |line: &&str| [" create ", " delete ", " update "].iter().any(|word| line.contains(word));
        log.lines().filter(changes).map(str::to_owned).collect()
    }

    fn things(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "log")
            .collect();
        names.sort();
        names
    }

    fn put(&self, name: &str, tag: &str) {
        std::fs::write(self.dir().join(name), tag).unwrap();
    }
}

/// Things are files named `kind.name` that hold their tag.
const AZ: &str = r#"#!/bin/sh
echo "$*" >> "$AZURE_DIR/log"; here="$AZURE_DIR/.."
words="$1 $2"; case "$3" in -*|"") ;; *) words="$words $3";; esac; case "$4" in list|show|create|delete) words="$words $4";; esac
name=; tags=; deployment=; model=; subscription=$(cat "$here/subscription" 2>/dev/null || echo s)
while [ $# -gt 0 ]; do
  case "$1" in
    --name|-n) name=$2;; --tags) tags=$2;; --deployment-name) deployment=$2;; --model-name) model=$2;;
    --subscription) subscription=$2;;
  esac
  shift
done
[ "$subscription" = s ] || AZURE_DIR=$here/azure-$subscription
thing() { [ -f "$AZURE_DIR/$1" ] || { echo "(ResourceNotFound) $1 was not found" >&2; exit 3; }
  tag=$(cat "$AZURE_DIR/$1"); printf '{"name":"%s","tags":{"offhook-setup":"%s"},"hostName":"HOST","id":"/subscriptions/s/resourceGroups/offhook-voice/providers/x/%s","kind":"OpenAI","resourceGroup":"offhook-voice","filter":{"includedEventTypes":["Microsoft.Communication.IncomingCall"]},"properties":{"endpoint":"ENDPOINT","model":{"name":"%s"}}}' "${1#*.}" "${tag#*=}" "${1#*.}" "$tag"; }
broken() { [ ! -f "$here/broken" ] || { echo "the connection was reset" >&2; exit 1; }; }
listed() { printf '['; first=1; for kind in "$@"; do for file in "$AZURE_DIR/$kind".*; do
  [ -f "$file" ] || continue; [ $first = 1 ] || printf ','; first=0; thing "$(basename "$file")"; done; done; printf ']'; }
case "$words" in
  "account show") echo "{\"id\":\"$subscription\",\"name\":\"Pay as you go\"}";;
  "group show") thing "group.$name";;
  "group create") printf '%s' "$tags" > "$AZURE_DIR/group.$name"; thing "group.$name";;
  "group delete") rm "$AZURE_DIR/group.$name";;
  "resource list") listed account acs;;
  "cognitiveservices account list") listed account;;
  "cognitiveservices account create") printf '%s' "$tags" > "$AZURE_DIR/account.$name"; thing "account.$name";;
  "cognitiveservices account show") thing "account.$name";;
  "cognitiveservices account delete") rm "$AZURE_DIR/account.$name";;
  "cognitiveservices account keys list") echo '{"key1":"hunter2"}';;
  "cognitiveservices account deployment list") listed deployment;;
  "cognitiveservices account deployment create") printf '%s' "$model" > "$AZURE_DIR/deployment.$deployment"; broken; echo '{}';;
  "cognitiveservices account deployment show") thing "deployment.$deployment";;
  "cognitiveservices account deployment delete") rm "$AZURE_DIR/deployment.$deployment";;
  "communication list") listed acs;;
  "eventgrid event-subscription list") listed event;;
  "eventgrid event-subscription show") thing "event.$name";;
  "eventgrid event-subscription create") printf '' > "$AZURE_DIR/event.$name"; echo '{}';;
  "eventgrid event-subscription update") thing "event.$name";;
  "eventgrid event-subscription delete") rm "$AZURE_DIR/event.$name";;
  "communication create") printf '%s' "$tags" > "$AZURE_DIR/acs.$name"; broken; thing "acs.$name";;
  "communication show") thing "acs.$name";;
  "communication list-key") echo '{"primaryConnectionString":"CONNECTION"}';;
  "communication delete") rm "$AZURE_DIR/acs.$name";;
  *) echo "what is $words?" >&2; exit 2;;
esac
"#;

async fn run(mut command: tokio::process::Command, typed: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Whoever has what it needs reads no more.
    let _ = stdin.write_all(typed.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// Without an `az`.
async fn by_hand(machine: &Machine, args: &[&str], typed: &str) -> Output {
    let mut command = machine.command(args);
    command.env("PATH", "/nowhere");
    run(command, typed).await
}

fn config(machine: &Machine) -> String {
    std::fs::read_to_string(machine.home.path().join(".config/offhook/offhook.toml")).unwrap_or_default()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn connection(server: &MockServer) -> String {
    format!("endpoint={}/;accesskey={KEY}", server.uri())
}

fn speaks() -> Script {
    let heard = vec![Heard::Text("This is a test of the telephone.".to_owned())];
    Script { key: Some("hunter2".to_owned()), heard, ..Script::default() }
}

#[tokio::test]
async fn a_resource_is_connected_by_answering_questions() {
    let server = resource(KEY).await;
    let machine = Machine::new();
    machine.file(".config/offhook/offhook.toml", "# ours\n[policy]\ncountries = [\"US\"]\n");
    // The connection string; the second of two numbers that can call; a tunnel; yes.
    let typed = format!("{}\n2\n2\ny\n", connection(&server));
    let output = by_hand(&machine, &["setup", "acs", "--target", "+12065550171"], &typed).await;
    Machine::expect(&output, 0);
    let told = errors(&output);
    assert!(told.contains("its key is good") && told.contains("+12065550122 (can't be called)"), "{told}");
    assert!(!told.contains("+12065550121"), "it can't call: {told}");
    assert!(!told.contains(KEY), "a secret is shown: {told}");
    let secret = machine.home.path().join(".config/offhook/secrets/acs-connection-string");
    assert_eq!(
        config(&machine),
        format!(
            "# ours\n[policy]\ncountries = [\"US\"]\n\n[carrier.acs]\nconnection_string = \"file:{}\"\ntunnel = \
             \"ngrok\"\n\n[[line]]\nnumber = \"+12065550123\"\ntrunk = \"acs\"\n\n[voice]\ntarget = \
             \"+12065550171\"\n",
            secret.display()
        )
    );
    assert_eq!((mode(&secret), std::fs::read_to_string(&secret).unwrap()), (0o600, connection(&server)));
    Machine::expect(&machine.run(&["config", "check"]).await, 0);
    let numbers = async || {
        let output = machine.run(&["doctor", "--json"]).await;
        let findings = String::from_utf8(output.stdout).unwrap();
        findings.lines().find(|line| line.contains("ACS numbers")).map(str::to_owned).unwrap_or(findings)
    };
    assert!(numbers().await.contains("\"state\":\"ok\""), "{}", numbers().await);
    let written = config(&machine);
    machine.file(".config/offhook/offhook.toml", &written.replace("+12065550123", "+12065550121"));
    assert!(numbers().await.contains("+12065550121 can't call"), "{}", numbers().await);
    machine.file(".config/offhook/offhook.toml", &written);
    // What was there is kept; and once more changes nothing.
    let backups = || {
        let files = std::fs::read_dir(machine.home.path().join(".config/offhook")).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".bak")).count()
    };
    assert_eq!(backups(), 1);
    let again = ["setup", "acs", "--yes", "--number", "+12065550123", "--connection-string-file"];
    let again = [&again[..], &[secret.to_str().unwrap()]].concat();
    let before = config(&machine);
    Machine::expect(&by_hand(&machine, &again, "").await, 0);
    assert_eq!((config(&machine), backups()), (before, 1));
}

#[tokio::test]
async fn nothing_is_written_of_what_does_not_work() {
    let server = resource("YW5vdGhlciBrZXk=").await;
    let machine = Machine::new();
    machine.file("wrong", &connection(&server));
    machine.file("broken", "endpoint=https://a.communication.azure.com");
    let file = |name: &str| machine.home.path().join(name).display().to_string();
    let good = resource(KEY).await;
    machine.file("good", &connection(&good));
    let (wrong, broken, good) = (file("wrong"), file("broken"), file("good"));
    let acs = ["setup", "acs", "--tunnel", "ngrok", "--connection-string-file"];
    for (more, typed, code, why) in [
        (&[wrong.as_str(), "--yes"][..], "", 1, "the access key is not that of this resource"),
        (&[broken.as_str(), "--yes"], "", 1, "the connection string has no accesskey"),
        (
            &[good.as_str(), "--number", "+12065550199", "--yes"],
            "",
            1,
            "is no number of this resource; it has: ",
        ),
        (&["/nowhere", "--yes"], "", 1, "No such file"),
        // Asked, and not answered; asked, and declined.
        // Nobody is asked, and there are two.
        (&[good.as_str(), "--yes"], "", 2, "which one is missing; give --number"),
        (&[good.as_str()], "1\n", 2, "the input ended"),
        (&[good.as_str()], "1\nn\n", 1, "stopped; nothing was written"),
        (
            &[good.as_str(), "--number", "+12065550123", "--yes", "--dry-run"],
            "",
            0,
            "Nothing was written: this was a dry run.",
        ),
    ] {
        let output = by_hand(&machine, &[&acs[..], more].concat(), typed).await;
        Machine::expect(&output, code);
        assert!(errors(&output).contains(why), "{more:?}: {}", errors(&output));
    }
    for (args, code, why) in [
        (&["setup", "acs", "--yes"][..], 2, "--connection-string-file"),
        (&["setup", "realtime", "--yes"], 2, "--endpoint"),
        (&["setup", "acs", "--create", "--yes"], 1, "needs the az program"),
        (&["setup", "undo"], 0, "Nothing was made"),
    ] {
        let output = by_hand(&machine, args, "").await;
        Machine::expect(&output, code);
        assert!(errors(&output).contains(why), "{args:?}: {}", errors(&output));
    }
    assert_eq!(config(&machine), "");
    assert!(!machine.home.path().join(".config/offhook/secrets").exists());
}

#[tokio::test]
async fn a_deployment_is_tried_by_a_spoken_round_trip() {
    let fake = FakeRealtime::start(speaks()).await;
    let machine = Machine::new();
    machine.file("key", "hunter2\n");
    let key = machine.home.path().join("key").display().to_string();
    let endpoint = fake.url().trim_end_matches("/openai/v1").trim_end_matches("/v1").to_owned();
    let args = [
        "setup",
        "realtime",
        "--endpoint",
        &endpoint,
        "--deployment",
        "voice-2",
        "--key-file",
        &key,
        "--yes",
    ];
    let output = by_hand(&machine, &args, "").await;
    Machine::expect(&output, 0);
    let told = errors(&output);
    assert!(told.contains("It said \"This is a test of the telephone.\""), "{told}");
    assert!(told.contains("and understood \"This is a test of the telephone.\""), "{told}");
    let written = config(&machine);
    for line in ["model = \"openai-realtime\"", "model = \"voice-2\"", "auth = \"api-key\"", "/openai/v1\""] {
        assert!(written.contains(line), "{line}: {written}");
    }
    assert!(!written.contains("hunter2") && !told.contains("hunter2"));

    let doctor = by_hand(&machine, &["doctor", "--speak", "--json"], "").await;
    let findings = String::from_utf8(doctor.stdout).unwrap();
    let spoken = findings.lines().find(|line| line.contains("\"spoken\"")).unwrap();
    assert!(spoken.contains("\"state\":\"ok\"") && spoken.contains("This is a test"), "{spoken}");

    // A wrong key, and a model that understands something else.
    machine.file("key", "hunter3");
    let output = by_hand(&machine, &args, "").await;
    Machine::expect(&output, 1);
    assert!(errors(&output).contains("refused the credentials"), "{}", errors(&output));
    let heard = vec![Heard::Text("Thank you for watching.".to_owned())];
    let deaf = FakeRealtime::start(Script { heard, ..speaks() }).await;
    let endpoint = deaf.url().trim_end_matches("/openai/v1").trim_end_matches("/v1").to_owned();
    machine.file("key", "hunter2");
    let args = [
        "setup",
        "realtime",
        "--endpoint",
        &endpoint,
        "--deployment",
        "voice-3",
        "--key-file",
        &key,
        "--yes",
    ];
    let output = by_hand(&machine, &args, "").await;
    Machine::expect(&output, 1);
    assert!(errors(&output).contains("understood \"Thank you for watching.\""), "{}", errors(&output));
    assert_eq!(config(&machine), written);
}

#[tokio::test]
async fn what_is_missing_is_made_and_only_that_is_undone() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let endpoint = fake.url().trim_end_matches("/openai/v1").trim_end_matches("/v1").to_owned();
    let azure = Azure::new(&endpoint, &server);
    // A dry run makes nothing, and shows everything.
    let dry = azure.run(&["setup", "realtime", "--create", "--dry-run"], "").await;
    Machine::expect(&dry, 0);
    assert!(errors(&dry).contains("$ az cognitiveservices account deployment create"), "{}", errors(&dry));
    assert!(azure.changes().is_empty() && azure.things().is_empty() && config(&azure.machine).is_empty());

    // Each command is confirmed; the one that is declined does not run, nor what follows.
    let output = azure.run(&["setup", "realtime", "--create"], "y\nn\n").await;
    Machine::expect(&output, 1);
    assert_eq!(azure.things(), ["group.offhook-voice"]);
    let output = azure.run(&["setup", "realtime", "--create"], "y\ny\ny\n").await;
    Machine::expect(&output, 0);
    let told = errors(&output);
    let changes = azure.changes();
    assert_eq!(changes.len(), 3, "{changes:#?}");
    assert!(changes[2].contains(
        "--deployment-name gpt-realtime-mini --model-name gpt-realtime-mini --model-version 2025-10-06 \
         --model-format OpenAI --sku-name GlobalStandard --sku-capacity 1"
    ));
    for change in &changes {
        // The first was shown, and run, when the second was declined.
        assert!(
            told.contains(&format!("$ az {change}")) || change.contains("group create"),
            "{change}: {told}"
        );
    }
    let output = azure
        .run(&["setup", "acs", "--create", "--number", "+12065550123", "--tunnel", "ngrok", "--yes"], "")
        .await;
    Machine::expect(&output, 0);
    assert!(errors(&output).contains("--data-location 'United States'"), "{}", errors(&output));
    assert_eq!(azure.things().len(), 4, "{:?}", azure.things());
    Machine::expect(&azure.machine.run(&["config", "check"]).await, 0);

    // Somebody else's things stay: one in our group, and one that only has the name of ours.
    azure.put("acs.theirs", "made-by=them");
    let account = azure.things().into_iter().find(|name| name.starts_with("account.")).unwrap();
    let tag = std::fs::read_to_string(azure.dir().join(&account)).unwrap();
    azure.put(&account, "offhook-setup=another");
    let undo = azure.run(&["setup", "undo", "--dry-run"], "").await;
    Machine::expect(&undo, 0);
    assert_eq!(azure.things().len(), 5, "a dry run takes nothing back");
    let undo = azure.run(&["setup", "acs", "--undo", "--yes"], "").await;
    Machine::expect(&undo, 0);
    let told = errors(&undo);
    assert!(told.contains("it does not carry the tag of this setup"), "{told}");
    assert!(told.contains("offhook-voice stays: there is something else in it: "), "{told}");
    assert_eq!(azure.things(), [account.as_str(), "acs.theirs", "group.offhook-voice"]);
    // Once they are gone, so is the group.
    azure.put(&account, &tag);
    std::fs::remove_file(azure.dir().join("acs.theirs")).unwrap();
    Machine::expect(&azure.run(&["setup", "undo", "--yes"], "").await, 0);
    assert_eq!(azure.things(), Vec::<String>::new());
    let output = azure.run(&["setup", "undo"], "").await;
    assert!(errors(&output).contains("Nothing was made"), "{}", errors(&output));
}

#[tokio::test]
async fn a_group_that_was_there_before_is_never_deleted() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let azure = Azure::new(&fake.url(), &server);
    azure.put("group.theirs", "made-by=them");
    let create =
        ["setup", "acs", "--create", "--group", "theirs", "--number", "+12065550123", "--tunnel", "ngrok"];
    Machine::expect(&azure.run(&[&create[..], &["--yes"]].concat(), "").await, 0);
    assert_eq!(azure.things().len(), 2);
    Machine::expect(&azure.run(&["setup", "undo", "--yes"], "").await, 0);
    assert_eq!(azure.things(), ["group.theirs"]);
    assert!(azure.changes().iter().all(|change| !change.contains("group delete")), "{:?}", azure.changes());
}

/// Deliveries go to an address with a secret, which is in the command and on no screen; mended when the address changes.
#[tokio::test]
async fn calls_that_come_in_are_subscribed_to() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let azure = Azure::new(&fake.url(), &server);
    let create = ["setup", "acs", "--create", "--number", "+12065550123", "--tunnel", "ngrok", "--yes"];
    let incoming = |url: &'static str| ["setup", "acs", "--incoming", "--yes", "--public-url", url];
    let too_early = azure.run(&incoming("https://a.example.org"), "").await;
    Machine::expect(&too_early, 1);
    assert!(errors(&too_early).contains("run `offhook setup acs` first"), "{}", errors(&too_early));
    Machine::expect(&azure.run(&create, "").await, 0);
    // That of another installation stays as it is.
    azure.put("event.offhook-incoming", "");
    for (url, what) in [("https://a.example.org", "create"), ("https://b.example.org", "update")] {
        let output = azure.run(&incoming(url), "").await;
        Machine::expect(&output, 0);
        let command = azure.changes().pop().unwrap();
        assert!(
            command.starts_with(&format!("eventgrid event-subscription {what} --name offhook-incoming-")),
            "{command}"
        );
        let (_, token) = command.split_once("?token=").unwrap();
        let token = token.split_whitespace().next().unwrap();
        assert!(command.contains(&format!("--endpoint {url}/")) && token.len() >= 16, "{command}");
        assert!(!errors(&output).contains(token), "a secret is shown: {}", errors(&output));
        let told = errors(&output);
        assert!(told.contains("told of calls to this resource, too: offhook-incoming. "), "{told}");
    }
    let made = |name: &&String| name.starts_with("event.offhook-incoming-");
    assert_eq!(azure.things().iter().filter(made).count(), 1, "{:?}", azure.things());
    Machine::expect(&azure.run(&["setup", "undo", "--yes"], "").await, 0);
    assert_eq!(azure.things(), ["event.offhook-incoming"]);
}

/// Of several resources none is taken because it comes first.
#[tokio::test]
async fn a_resource_of_the_subscription_is_named_or_chosen() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let azure = Azure::new(&fake.url(), &server);
    azure.put("acs.first", "");
    azure.put("acs.second", "");
    let acs = ["setup", "acs", "--number", "+12065550123", "--tunnel", "ngrok"];
    let unclear = azure.run(&[&acs[..], &["--yes"]].concat(), "").await;
    Machine::expect(&unclear, 2);
    assert!(errors(&unclear).contains("give --resource or --create"), "{}", errors(&unclear));
    let unknown = azure.run(&[&acs[..], &["--yes", "--resource", "third"]].concat(), "").await;
    Machine::expect(&unknown, 1);
    assert!(errors(&unknown).contains("no such resource as third"), "{}", errors(&unknown));
    assert_eq!(config(&azure.machine), "");
    let chosen = azure.run(&acs, "2\ny\n").await;
    Machine::expect(&chosen, 0);
    assert!(
        errors(&chosen).contains("list-key --name second --resource-group offhook-voice"),
        "{}",
        errors(&chosen)
    );
    Machine::expect(&azure.run(&[&acs[..], &["--yes", "--resource", "first"]].concat(), "").await, 0);
    assert!(azure.changes().is_empty());
}

/// An answer that was lost leaves nothing over unknown: the tag says whose a resource is. What can carry none is left for
/// somebody to look at.
#[tokio::test]
async fn what_was_begun_is_known() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let azure = Azure::new(&fake.url(), &server);
    azure.machine.file("broken", "");
    for args in [&["setup", "acs", "--create", "--yes"][..], &["setup", "realtime", "--create", "--yes"]] {
        let output = azure.run(args, "").await;
        Machine::expect(&output, 1);
        let told = errors(&output);
        assert!(told.contains("the connection was reset") && told.contains("Pay as you go"), "{told}");
    }
    assert_eq!(azure.things().len(), 4, "{:?}", azure.things());
    let undo = azure.run(&["setup", "undo", "--yes"], "").await;
    Machine::expect(&undo, 0);
    let told = errors(&undo);
    assert!(told.contains("gpt-realtime-mini stays: it is not known whether this setup made it"), "{told}");
    assert_eq!(azure.things(), ["deployment.gpt-realtime-mini"]);
}

/// To create a deployment replaces one of that name: what is there keeps its name, and a new one gets another.
#[tokio::test]
async fn a_deployment_of_somebody_else_is_never_replaced() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let endpoint = fake.url().trim_end_matches("/openai/v1").trim_end_matches("/v1").to_owned();
    let azure = Azure::new(&endpoint, &server);
    azure.put("account.theirs", "");
    azure.put("deployment.gpt-realtime-mini", "gpt-4o");
    let setup = ["setup", "realtime", "--resource", "theirs", "--yes"];
    let named = azure.run(&[&setup[..], &["--deployment", "GPT-realtime-mini"]].concat(), "").await;
    Machine::expect(&named, 1);
    assert!(errors(&named).contains("theirs has another deployment GPT-realtime-mini"), "{}", errors(&named));
    assert!(azure.changes().is_empty(), "{:?}", azure.changes());
    Machine::expect(&azure.run(&setup, "").await, 0);
    let things = azure.things();
    let made = |name: &&String| name.starts_with("deployment.gpt-realtime-mini-");
    assert_eq!((things.len(), things.iter().filter(made).count()), (3, 1), "{things:?}");
    assert!(config(&azure.machine).contains("model = \"gpt-realtime-mini-"), "{}", config(&azure.machine));
    Machine::expect(&azure.run(&["setup", "undo", "--yes"], "").await, 0);
    assert_eq!(azure.things(), ["account.theirs", "deployment.gpt-realtime-mini"]);
    let kept = std::fs::read_to_string(azure.dir().join("deployment.gpt-realtime-mini")).unwrap();
    assert_eq!(kept, "gpt-4o");
}

/// Things are looked for where they were made, whatever subscription `az` works in by now.
#[tokio::test]
async fn what_was_made_is_undone_in_its_subscription() {
    let (server, fake) = (resource(KEY).await, FakeRealtime::start(speaks()).await);
    let azure = Azure::new(&fake.url(), &server);
    let create = ["setup", "acs", "--create", "--number", "+12065550123", "--tunnel", "ngrok", "--yes"];
    Machine::expect(&azure.run(&create, "").await, 0);
    assert_eq!(azure.things().len(), 2, "{:?}", azure.things());
    azure.machine.file("subscription", "another");
    let undo = azure.run(&["setup", "undo", "--yes"], "").await;
    Machine::expect(&undo, 0);
    assert!(errors(&undo).contains("Pay as you go (another)"), "{}", errors(&undo));
    assert_eq!(azure.things(), Vec::<String>::new());
    assert!(
        azure.changes().iter().all(|change| change.contains("--subscription s ")),
        "{:?}",
        azure.changes()
    );
}
