//! `offhook acs`: what the other side needs to know.

use offhook_core::Timestamp;
use offhook_store::Store;

use crate::machine::Machine;

const FILE: &str = ".config/offhook/offhook.toml";

fn config(more: &str) -> String {
    format!(
        "[carrier.acs]\nconnection_string = \"endpoint=https://contoso.communication.azure.com/;accesskey=a2V5a2U=\"\n\
         {more}\n[[line]]\nnumber = \"+12065550123\"\n"
    )
}

#[tokio::test]
async fn the_address_of_a_subscription_is_printed_with_its_secret() {
    let machine = Machine::new();
    let printed = Machine::expect(&machine.run(&["acs", "incoming-url"]).await, 1);
    assert_eq!(printed, "", "there is no such carrier");
    machine.file(
        FILE,
        &config("public_url = \"https://line.example.com/\"\nincoming_token = \"a good & long secret\""),
    );
    let printed = Machine::expect(&machine.run(&["acs", "incoming-url"]).await, 0);
    assert_eq!(printed, "https://line.example.com/webhooks/acs/incoming?token=a+good+%26+long+secret\n");

    // One that nobody wrote is always the same.
    machine.file(FILE, &config("tunnel = \"tailscale\""));
    assert_eq!(
        Machine::expect(&machine.run(&["acs", "incoming-url"]).await, 1),
        "",
        "the tunnel says the address"
    );
    let asked = ["acs", "incoming-url", "--public-url", "https://host.ts.net"];
    let printed = Machine::expect(&machine.run(&asked).await, 0);
    let (address, token) = printed.trim().split_once("?token=").unwrap();
    assert_eq!((address, token.len()), ("https://host.ts.net/webhooks/acs/incoming", 43));
    assert_eq!(Machine::expect(&machine.run(&asked).await, 0), printed);

    // With Entra ID there is none.
    let entra = "public_url = \"https://line.example.com\"\nincoming_tenant_id = \"72f988bf-86f1-41af-91ab-2d7cd011db47\"\nincoming_audience = \"a\"";
    machine.file(FILE, &config(entra));
    let printed = Machine::expect(&machine.run(&["acs", "incoming-url"]).await, 0);
    assert_eq!(printed, "https://line.example.com/webhooks/acs/incoming\n");
}

#[tokio::test]
async fn a_learned_audience_is_forgotten() {
    let machine = Machine::new();
    machine.file(FILE, &config("tunnel = \"ngrok\""));
    let database = machine.home.path().join(".local/share/offhook/offhook.db");
    let store = Store::open(&format!("sqlite:{}", database.display())).await.unwrap();
    assert_eq!(Machine::expect(&machine.run(&["acs", "forget-audience"]).await, 0), "none was known\n");
    let resource = "contoso.communication.azure.com";
    store.learn_acs_audience(resource, "audience", Timestamp::default()).await.unwrap();
    assert_eq!(Machine::expect(&machine.run(&["acs", "forget-audience"]).await, 0), "forgotten\n");
    assert_eq!(store.acs_audience(resource).await.unwrap(), None);
    store.close().await;
}
