//! The HTTP API: decodes requests, asks the gateway, encodes answers. All routes are in [`router`].
//!
//! Paths have no version prefix because the contract has none; what we add are optional fields and new paths.

mod access;
pub mod acs;
mod approvals;
mod balance;
mod bridge;
mod call_ties;
mod call_view;
mod calls;
mod campaign_view;
mod campaigns;
mod chat;
mod check;
mod codes;
mod error;
mod events;
mod health;
mod keys;
mod limits;
mod link;
mod mcp;
mod me;
mod new_call;
mod openapi;
mod origin;
mod preferences;
mod proactive;
mod public_url;
mod question;
mod range;
mod reception;
mod recording;
mod request;
mod schedule_view;
mod schedules;
mod serve;
mod steer;
mod task_result;
mod terms;
mod voice;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::doctor::Readiness;
use crate::gateway::Gateway;
pub use codes::{CODES, Code};
pub use limits::Limits;
pub use public_url::PublicUrl;
pub use request::key;
pub use serve::serve;
pub use webhooks::event_body;

/// What every handler needs. Cheap to clone.
#[derive(Clone, Debug)]
struct Api {
    gateway: Gateway,
    /// What links begin with.
    public_url: PublicUrl,
    readiness: Readiness,
    limits: Limits,
}

/// The whole API, with the usual limits.
pub fn router(gateway: Gateway, public_url: PublicUrl) -> Router {
    limited(gateway, public_url, Limits::default())
}

pub fn limited(gateway: Gateway, public_url: PublicUrl, limits: Limits) -> Router {
    let readiness = Readiness::new(gateway.clone());
    let api = Api { gateway, public_url, readiness, limits };
    let (router, document) = routes().split_for_parts();
    let document: Arc<str> =
        openapi::complete(openapi::described(document), api.public_url.of_document()).into();
    let router = router
        .route("/openapi.json", get(move || openapi::serve(document.clone())))
        .route("/", get(health::front))
        .route("/sign-in", get(link::form).post(link::link))
        .route("/sign-up", get(link::form).post(link::link))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(from_fn_with_state(api.clone(), origin::guard))
        .layer(from_fn(access::log))
        .with_state(api.clone());
    router.clone().merge(mcp::route(api, router))
}

/// Everything that is part of the OpenAPI document.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(calls::place))
        .routes(routes!(check::check))
        .routes(routes!(calls::show))
        .routes(routes!(calls::hang_up))
        .routes(routes!(steer::say))
        .routes(routes!(steer::instruct))
        .routes(routes!(steer::digits))
        .routes(routes!(steer::answer))
        .routes(routes!(question::wait))
        .routes(routes!(bridge::bridge))
        .routes(routes!(calls::list))
        .routes(routes!(campaigns::start, campaigns::list))
        .routes(routes!(campaigns::show, campaigns::note))
        .routes(routes!(campaigns::stop))
        .routes(routes!(schedules::create, schedules::list))
        .routes(routes!(schedules::show, schedules::change, schedules::remove))
        .routes(routes!(schedules::run_now))
        .routes(routes!(schedules::dry_run))
        .routes(routes!(proactive::show, proactive::replace))
        .routes(routes!(approvals::ask, approvals::list))
        .routes(routes!(approvals::show, approvals::cancel))
        .routes(routes!(approvals::pin, approvals::set_pin, approvals::clear_pin))
        .routes(routes!(recording::locate))
        .routes(routes!(recording::download))
        .routes(routes!(events::follow))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::secret))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(me::account))
        .routes(routes!(me::history))
        .routes(routes!(keys::list, keys::make))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::revoke))
        .routes(routes!(voice::call))
        .routes(routes!(voice::target, voice::set_target, voice::clear_target))
        .routes(routes!(voice::polyclaw_call))
        .routes(routes!(voice::status))
        .routes(routes!(chat::command))
        .routes(routes!(preferences::show, preferences::replace, preferences::reset))
        .routes(routes!(balance::show))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// The OpenAPI document, without a server.
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::described(routes().split_for_parts().1)
}
