//! The tools of the API for agents that speak the Model Context Protocol: over standard input and output beside the
//! agent (`offhook mcp`), and at `/mcp` of a gateway. One table ([`tools`]), one way to the API ([`door`]).

mod act;
mod approval;
mod door;
mod guide;
mod refusal;
mod schedules;
mod short;
pub mod skill;
mod tools;
mod voice;
mod wait;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::http::header::HOST;
use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Extensions, Implementation,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::Value;

pub use door::There;
use door::{Door, Here};
use wait::Progress;
pub use wait::Waits;
pub use web::Web;

use crate::http::PublicUrl;

const INSTRUCTIONS: &str = "offhook places real phone calls that a voice holds for the user, and reports what came of \
    them. Before the first call read get_calling_guide. Find public facts yourself, ask the user only for what is \
    private or a decision, and put everything into the task: the voice knows nothing else. place_call_and_wait for one \
    call, place_call for several. A call is over when lifecycle is finalized; outcome is what the telephone network came \
    to, so read result and the transcript before you say that anything was achieved. Refusals say what to do; links in \
    them go to the user exactly as they are.";

/// The server, whichever way it is spoken to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tools {
    place: Place,
    waits: Waits,
}

#[derive(Clone, Debug)]
enum Place {
    Gateway { router: Router, public_url: PublicUrl },
    Beside(Arc<There>),
}

impl Tools {
    /// Inside a gateway, with its own API.
    fn here(router: Router, public_url: PublicUrl) -> Self {
        Self { place: Place::Gateway { router, public_url }, waits: Waits::default() }
    }

    /// Beside an agent.
    pub fn there(there: There, waits: Waits) -> Self {
        Self { place: Place::Beside(Arc::new(there)), waits }
    }

    /// Speak over standard input and output until that is closed. Nothing else may be printed meanwhile.
    pub async fn speak(self) -> Result<(), String> {
        let running = self.serve(rmcp::transport::stdio()).await.map_err(|error| error.to_string())?;
        running.waiting().await.map(drop).map_err(|error| error.to_string())
    }

    /// For whoever sent a request.
    fn door(&self, extensions: &Extensions) -> Door<'_> {
        match &self.place {
            Place::Beside(there) => Door::There(there),
            Place::Gateway { router, public_url } => {
                let empty = axum::http::HeaderMap::new();
                let headers = extensions.get::<Parts>().map_or(&empty, |parts| &parts.headers);
                Door::Here(Here {
                    router: router.clone(),
                    key: crate::http::key(headers).map(|key| key.to_owned().into()),
                    host: headers.get(HOST).cloned(),
                    public_url: public_url.for_request(headers),
                })
            }
        }
    }

    fn is_beside(&self) -> bool {
        matches!(self.place, Place::Beside(_))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let server =
            Implementation::new("offhook", env!("CARGO_PKG_VERSION")).with_title("offhook phone line");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = tools::listed(self.is_beside()).cloned().collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::listed(self.is_beside()).find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut arguments = request.arguments.unwrap_or_default();
        let Some(row) = tools::row(tools::by_our_name(&request.name, &mut arguments)) else {
            let message = format!("there is no tool {}; tools/list says what there is", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        // Many clients write null for what they leave out; a setting or a note is reset by it.
        let resets = matches!(
            row.act,
            tools::Act::UpdateSettings | tools::Act::NoteCampaign | tools::Act::ChangeSchedule
        );
        if !resets {
            arguments.retain(|_, value| !value.is_null());
        }
        let token = context.meta.get_progress_token();
        let progress =
            Progress { to: token.map(|token| (context.peer.clone(), token)), cancelled: context.ct.clone() };
        let done = match row.check(&arguments) {
            Ok(()) => {
                let door = self.door(&context.extensions);
                act::Use { door, arguments, waits: self.waits, progress }.run(row.act).await
            }
            Err(wrong) => Err(wrong),
        };
        Ok(match done {
            Ok(value) => CallToolResult::success(vec![ContentBlock::text(shown(&value))]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        }
        .into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |page: &guide::Page| {
            Resource::new(format!("{}{}", guide::SCHEME, page.topic), page.topic)
                .with_description(format!("How to {}.", page.says))
                .with_mime_type("text/markdown")
        };
        Ok(ListResourcesResult::with_all_items(guide::PAGES.iter().map(resource).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let page = request.uri.strip_prefix(guide::SCHEME).and_then(guide::page);
        let page = page.ok_or_else(|| {
            ErrorData::resource_not_found(format!("there is nothing at {}", request.uri), None)
        })?;
        let contents = ResourceContents::text(page.text, request.uri).with_mime_type("text/markdown");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

/// Indented JSON; a page as it is.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => format!("{value:#}"),
    }
}
