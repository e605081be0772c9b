//! The retry rules of the contract, as agents act on them.

use offhook_core::end::{EndReason, Outcome, Retry};
use serde_json::json;

use crate::clawcall::ClawCall;
use crate::rig::{BUSY, Rig};

/// What the contract says of an outcome when no phone rang.
fn contract(outcome: Outcome) -> &'static [Retry] {
    match outcome {
        // Once, silently.
        Outcome::NetworkError | Outcome::SystemError => &[Retry::OnceSilently, Retry::AskFirst],
        Outcome::NoAnswer | Outcome::Busy | Outcome::Rejected => &[Retry::AskFirst],
        // Never blindly.
        Outcome::InvalidNumber | Outcome::Unreachable => &[Retry::Never],
        // Cancelled because its time was over: the user may want another time.
        Outcome::Cancelled => &[Retry::Never, Retry::AskFirst],
        // Only if it looks transient; a network that refuses us does not.
        Outcome::Failed => &[Retry::Never, Retry::AskFirst],
        // A follow-up, not a retry.
        Outcome::Answered => &[Retry::Never, Retry::AskFirst],
    }
}

#[test]
fn every_end_has_the_retry_rule_of_its_outcome() {
    for row in EndReason::TABLE {
        for (rang, answered) in [(false, false), (true, false), (true, true)] {
            let (outcome, retry) = (row.reason.outcome(answered), row.reason.retry(rang, answered));
            assert!(contract(outcome).contains(&retry), "{}: {} after {outcome}", row.code, retry.code());
            let rings_again = retry == Retry::OnceSilently && (rang || answered);
            assert!(!rings_again, "{}: a phone that rang is not rung again without asking", row.code);
        }
        assert!(!row.advice.is_empty(), "{}", row.code);
    }
    // What is certain never to have left may be tried again without a word.
    for code in ["carrier.unreachable", "carrier.failed", "carrier.no_line"] {
        assert_eq!(EndReason::from_code(code).unwrap().retry(false, false), Retry::OnceSilently, "{code}");
    }
}

/// `reason.retryable` outranks the table of the contract: it says whether to call once more without asking.
#[tokio::test]
async fn the_advice_is_in_the_answer() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    for (to, retryable) in
        [(BUSY, false), ("+14155550103", false), ("+14155550104", false), ("+14155550105", false)]
    {
        let id = agent.call(to).await;
        let call = agent.finalized(&id).await.call;
        let reason = &call["outcome_detail"]["reason"];
        assert_eq!(reason["retryable"], json!(retryable), "{to}: {call}");
        assert!(reason["message"].as_str().is_some_and(|message| message.ends_with('.')), "{reason}");
        let told = EndReason::from_code(call["end_reason"].as_str().unwrap()).unwrap();
        assert_eq!(reason["message"], told.row().advice);
    }
    rig.stop().await;
}
