//! Who calls, as it stands on the wire.

use offhook_carrier::sip::{FromUser, Identity, NumberFormat};
use offhook_carrier::{SipConfig, StartError};
use offhook_core::{EndReason, LegCommand, LegEvent};

use crate::far_end::{FarEnd, OUR_NUMBER, Rig, Seen, THEIR_NUMBER, event, number};

async fn dialled(change: impl FnOnce(&mut SipConfig)) -> (Rig, Seen) {
    let rig = Rig::with(change).await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "486 Busy Here", "", "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Failed(_)));
    (rig, invite)
}

#[tokio::test]
async fn by_default_the_number_stands_in_from_and_nowhere_else() {
    let (_, invite) = dialled(|_| {}).await;
    assert!(invite.must("From").starts_with(&format!("\"Us\" <sip:{OUR_NUMBER}@127.0.0.1>;tag=")));
    for name in ["P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Remote-Party-ID"] {
        assert_eq!(invite.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_trunk_with_an_account_gets_the_number_in_a_header_of_its_own() {
    let change = |identity| {
        move |config: &mut SipConfig| {
            let trunk = &mut config.trunks[0];
            trunk.username = Some("alice".into());
            (trunk.from_user, trunk.identity) = (FromUser::Account, identity);
        }
    };
    for (identity, header) in
        [(Identity::Asserted, "P-Asserted-Identity"), (Identity::Preferred, "P-Preferred-Identity")]
    {
        let (_, invite) = dialled(change(identity)).await;
        assert!(invite.must("From").starts_with("\"Us\" <sip:alice@127.0.0.1>;tag="));
        assert_eq!(invite.must(header), format!("\"Us\" <sip:{OUR_NUMBER}@127.0.0.1>"));
        assert_eq!(invite.header("Privacy"), None);
    }
    let (_, invite) = dialled(change(Identity::From)).await;
    assert!(!invite.text.contains(&OUR_NUMBER[1..]), "the account stands for it: {}", invite.text);
}

#[tokio::test]
async fn an_anonymous_caller_is_known_to_the_trunk_alone() {
    let (_, invite) = dialled(|config| {
        let trunk = &mut config.trunks[0];
        (trunk.from_user, trunk.identity) = (FromUser::Anonymous, Identity::Asserted);
    })
    .await;
    assert!(invite.must("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(invite.must("Privacy"), "id");
    assert!(invite.must("P-Asserted-Identity").contains(OUR_NUMBER));
    assert!(!invite.must("Contact").contains(&OUR_NUMBER[1..]), "{}", invite.must("Contact"));
}

#[tokio::test]
async fn a_trunk_without_plus_signs_gets_and_sends_none() {
    let mut rig = Rig::with(|config| config.trunks[0].number_format = NumberFormat::Digits).await;
    let _leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    let (ours, theirs) = (&OUR_NUMBER[1..], &THEIR_NUMBER[1..]);
    assert_eq!(invite.start_line(), format!("INVITE sip:{theirs}@{} SIP/2.0", rig.far.addr));
    assert_eq!(invite.must("To"), format!("<sip:{theirs}@127.0.0.1>"));
    assert!(invite.must("From").contains(&format!("<sip:{ours}@")));

    // A caller from Germany, whose number would be no number of North America.
    let from_germany = rig.far.invite(ours, "plain", "").replace(THEIR_NUMBER, "493012345678");
    rig.far.send(rig.at, &from_germany).await;
    rig.far.expect("SIP/2.0 180").await;
    let mut call = rig.incoming().await;
    assert_eq!((call.from, call.to), (Some(number("+493012345678")), number(OUR_NUMBER)));
    call.leg.send(LegCommand::HangUp { reason: EndReason::PolicyRefused }).unwrap();
}

#[tokio::test]
async fn an_identity_that_cannot_work_is_refused_at_the_start() {
    for (from_user, wrong) in [(FromUser::Account, "no username"), (FromUser::Anonymous, "no header")] {
        let (_far, config): (FarEnd, _) =
            Rig::prepared(|config| config.trunks[0].from_user = from_user).await;
        let (calls, _incoming) = tokio::sync::mpsc::channel(1);
        let error = offhook_carrier::SipCarrier::start(config, calls).await.unwrap_err();
        assert!(matches!(error, StartError::NoAccount(_) | StartError::NoIdentity(_)));
        assert!(error.to_string().contains(wrong), "{error}");
    }
}
