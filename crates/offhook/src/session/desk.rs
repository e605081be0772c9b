//! Agents at work for a call: each in a task of its own beside the call's loop, which sees their results and nothing of
//! their time.

use std::collections::HashMap;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use offhook_core::brief::{Brief, Role};
use offhook_core::call::{AgentEvent, AgentOrder, AgentTask};
use offhook_core::journal::AgentFailure;
use offhook_core::{CallId, Words};
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::agents::{AgentError, Agents, OnCall, Request};

/// Who works for one call. Dropping it stops them all.
#[derive(Debug)]
pub struct Desk {
    agents: Agents,
    call_id: CallId,
    role: Role,
    task: Words,
    at_work: JoinSet<Result<String, AgentError>>,
    tasks: HashMap<Id, AgentTask>,
    handles: HashMap<AgentTask, AbortHandle>,
}

impl Desk {
    /// The call itself gives up first.
    const BEYOND: Duration = Duration::from_secs(10);

    pub fn new(agents: Agents, call_id: CallId, brief: &Brief) -> Self {
        let (role, task) = (brief.role, brief.task.as_str().into());
        let (at_work, tasks, handles) = (JoinSet::new(), HashMap::new(), HashMap::new());
        Self { agents, call_id, role, task, at_work, tasks, handles }
    }

    /// The call is about something else from now on.
    pub fn rebrief(&mut self, brief: &Brief) {
        (self.role, self.task) = (brief.role, brief.task.as_str().into());
    }

    /// To be polled after this.
    pub fn order(&mut self, order: AgentOrder) {
        match order {
            AgentOrder::Ask { task, agent, prompt, transcript } => {
                let (id, role, about) = (self.call_id, self.role, self.task.clone());
                let request = Request { prompt, call: Some(OnCall { id, role, task: about, transcript }) };
                let agents = self.agents.clone();
                let limits = agents.settings();
                let limit = limits.wait.max(limits.work) + Self::BEYOND;
                let work = async move { agents.ask(agent.as_deref(), &request, limit).await };
                let handle = self.at_work.spawn(work);
                self.tasks.insert(handle.id(), task);
                self.handles.insert(task, handle);
            }
            AgentOrder::Cancel { task } => {
                if let Some(handle) = self.handles.remove(&task) {
                    handle.abort();
                }
            }
        }
    }

    /// The next result; of work that was cancelled there is none.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<AgentEvent> {
        loop {
            let Some(done) = ready!(self.at_work.poll_join_next_with_id(cx)) else { return Poll::Pending };
            let id = done.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
            let Some(task) = self.tasks.remove(&id) else { continue };
            if self.handles.remove(&task).is_none() {
                continue;
            }
            return Poll::Ready(match done {
                Ok((_, Ok(text))) => AgentEvent::Answered { task, text: text.into() },
                Ok((_, Err(error))) => AgentEvent::Failed { task, failure: error.failure() },
                // A bug in the work is no bug of the call.
                Err(_) => AgentEvent::Failed { task, failure: AgentFailure::Failed },
            });
        }
    }
}
