//! Whether the agents behind the voice are there. None of them is asked anything.

use std::time::Duration;

use super::Finding;
use crate::agents::{AgentError, Agents};
use crate::config::Config;

/// For all of them.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let Ok(agents) = Agents::new(config.agents.clone()) else { return Vec::new() };
    let names: Vec<&str> = config.agents.agents.iter().map(|agent| agent.name.as_str()).collect();
    let looks = names.iter().map(|name| async {
        let found = tokio::time::timeout(PATIENCE, agents.check(name)).await;
        finding(name, found.unwrap_or(Err(AgentError::TimedOut(PATIENCE))))
    });
    futures_util::future::join_all(looks).await
}

fn finding(name: &str, found: Result<&'static str, AgentError>) -> Finding {
    let finding = Finding::new("agent").of(name);
    let todo = "until this works the voice says that it could not find out; docs/calling/agents.md";
    match found {
        Ok(found) => finding.well("ok", found),
        Err(error @ AgentError::Failed(_)) => finding.ill("refused", error.to_string(), todo),
        Err(error) => finding.ill("unreachable", error.to_string(), todo),
    }
}
