//! Events of a speech session with their words, which `Debug` keeps to itself.

use offhook_core::Words;
use offhook_core::call::{Claim, SpeechEvent, ToolCall};

/// One line for a snapshot.
pub fn shown(event: &SpeechEvent) -> String {
    match event {
        SpeechEvent::RemoteSaid { text, confidence, started_ms, ended_ms } => {
            let text =
                text.as_ref().map_or("not understood".to_owned(), |text| format!("{:?}", text.as_str()));
            let confidence = confidence.map_or(String::new(), |confidence| format!(" ({confidence}‰)"));
            format!("RemoteSaid {text}{confidence}, {started_ms}-{ended_ms} ms")
        }
        SpeechEvent::VoiceText { utterance, text } => {
            format!("VoiceText {} {:?}", utterance.0, text.as_str())
        }
        SpeechEvent::UtteranceDone { utterance } => format!("UtteranceDone {}", utterance.0),
        SpeechEvent::Opened { utterance } => format!("Opened {}", utterance.0),
        SpeechEvent::ToolCall { id, tool } => format!("ToolCall {} {}", id.0, shown_tool(tool)),
        event => format!("{event:?}"),
    }
}

pub fn shown_tool(tool: &ToolCall) -> String {
    match tool {
        ToolCall::EndCall { reason, result } => {
            let result = result.as_deref().map_or("no result".to_owned(), shown_claim);
            format!("end_call {:?}: {result}", reason.as_str())
        }
        ToolCall::Invalid { name, why, .. } => format!("invalid {name}: {}", why.as_str()),
        tool => format!("{} {}", tool.name(), tool.arguments()).trim_end().to_owned(),
    }
}

fn shown_claim(claim: &Claim) -> String {
    let quotes: Vec<&str> = claim.quotes.iter().map(|quote| quote.as_str()).collect();
    let mut text = format!("{}, {:?}, quotes {quotes:?}", claim.status, claim.summary.as_str());
    for field in &claim.fields {
        text.push_str(&format!(", {}: {} {}", field.name, field.value.as_str(), shown_quotes(&field.quotes)));
    }
    for (what, all) in [("commitment", &claim.commitments), ("asked", &claim.asked_to_commit)] {
        for shown in all {
            text.push_str(&format!(", {what} {:?} {}", shown.what.as_str(), shown_quotes(&shown.quotes)));
        }
    }
    if let Some(blocker) = &claim.blocker {
        let quotes = shown_quotes(&blocker.quotes);
        text.push_str(&format!(", blocker {} {:?} {quotes}", blocker.kind, blocker.what.as_str()));
    }
    if let Some(step) = &claim.next_step {
        text.push_str(&format!(", next {:?}", step.as_str()));
    }
    text
}

fn shown_quotes(quotes: &[Words]) -> String {
    format!("{:?}", quotes.iter().map(|quote| quote.as_str()).collect::<Vec<_>>())
}
