//! What `offhook setup` tried once, tried again: whether the numbers are still those of the resource, and, where it is
//! asked for, whether the model speaks and understands.

use offhook_carrier::acs::{AcsAuth, ConnectionString};
use offhook_speech::{Model, openai};

use super::Finding;
use crate::config::{Acs, Config, SpeechModel};
use crate::setup::numbers::{NumbersError, owned};
use crate::setup::round_trip::round_trip;

/// Our lines among the numbers of the resource. With Entra ID nobody is asked: that right is another one.
pub(super) async fn numbers(acs: &Acs) -> Option<Finding> {
    let AcsAuth::AccessKey(access_key) = &acs.carrier.auth else { return None };
    let resource =
        ConnectionString { endpoint: acs.carrier.endpoint.clone(), access_key: access_key.clone() };
    let finding = Finding::new("ACS numbers");
    let todo = "compare line[].number with the numbers of the resource; `offhook setup acs` lists them";
    let owned = match owned(&resource).await {
        Ok(owned) => owned,
        Err(error @ NumbersError::NotListed { .. }) => {
            return Some(finding.well("not_listed", error.to_string()));
        }
        Err(error) => return Some(finding.ill("failed", error.to_string(), todo)),
    };
    let wrong = acs.carrier.lines.iter().filter_map(|line| {
        let number = line.number.as_e164();
        match owned.iter().find(|owned| owned.number == line.number) {
            None => Some(format!("{number} is no number of the resource")),
            Some(owned) if !owned.calls => Some(format!("{number} can't call")),
            Some(_) => None,
        }
    });
    let wrong: Vec<String> = wrong.collect();
    Some(match wrong.is_empty() {
        true => finding.well("ok", format!("{} of the resource, and can call", acs.carrier.lines.len())),
        false => finding.ill("not_owned", wrong.join("\n"), todo),
    })
}

/// The model says a sentence and hears it again. It costs what a short call does.
pub async fn speak(config: &Config) -> Finding {
    let finding = Finding::new("spoken");
    let SpeechModel::OpenAi(speech) = &config.speech else {
        return finding.well("local", "the local voice is tried with every check");
    };
    let model = match openai::OpenAi::new(speech.clone()) {
        Ok(model) => Model::OpenAi(model),
        Err(error) => return finding.ill("failed", error.to_string(), "correct speech.openai"),
    };
    match round_trip(&model).await {
        Ok(trip) => finding.well(
            "ok",
            format!(
                "it spoke after {} ms, and understood itself: {:?}",
                trip.spoke_after.as_millis(),
                trip.heard
            ),
        ),
        Err(error) => finding.ill("failed", error.to_string(), "try `offhook setup realtime`"),
    }
}
