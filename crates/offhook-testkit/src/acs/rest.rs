//! The API's front: reads requests, checks who asks, does what is repeated once, and fails on demand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::request::{Operation, Request};
use super::service::Shared;
use super::{operations, signature};

pub(super) const OPENID: &str = "/calling/.well-known/acsopenidconfiguration";
pub(super) const JWKS: &str = "/calling/keys";

/// Versions of the API that are generally available.
const VERSIONS: [&str; 7] =
    ["2023-03-06", "2023-10-15", "2024-04-15", "2024-09-15", "2025-05-15", "2025-06-15", "2026-03-12"];
const MOST_BYTES: usize = 1 << 20;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status and code, and perhaps word of when to come again, in seconds.
    Status { status: u16, code: String, retry_after: Option<u32> },
    /// The connection breaks before anything was done.
    LoseRequest,
    /// It is done, and the connection breaks before the reply.
    LoseReply,
    /// It is done, and the reply is no JSON.
    Garble,
}

impl Fault {
    /// Too many requests; come again after this many seconds.
    pub fn throttled(retry_after: u32) -> Self {
        Self::Status { status: 429, code: "8529".to_owned(), retry_after: Some(retry_after) }
    }

    pub fn unavailable() -> Self {
        Self::Status { status: 503, code: "ServiceUnavailable".to_owned(), retry_after: None }
    }
}

/// A status and, mostly, a body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    pub fn empty(status: u16) -> Self {
        Self::new(status, Value::Null)
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, json!({"error": {"code": code, "message": message}}))
    }

    /// An argument is missing or wrong.
    pub fn bad(message: &str) -> Self {
        Self::error(400, "8523", message)
    }

    pub fn no_such_call() -> Self {
        Self::error(404, "8522", "Call not found.")
    }
}

/// The connection ends without a reply.
#[derive(Debug, thiserror::Error)]
#[error("the reply is lost, as was asked for")]
struct Lost;

pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let serving = Arc::clone(&shared);
        let service = service_fn(move |request| serve(Arc::clone(&serving), request));
        shared.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the fake of Communication Services ended");
            }
        });
    }
}

async fn serve(
    shared: Arc<Shared>,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Lost> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), MOST_BYTES).await.unwrap_or_default();
    let path_and_query = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (method, path) = (head.method.as_str(), head.uri.path());
    if let Some(reply) = elsewhere(&shared, method, path).await {
        return Ok(response(&reply, &head.headers, &[]));
    }
    let Some((operation, connection_id, rest)) = Operation::of(method, path) else {
        return Ok(response(&Reply::error(404, "NotFound", "There is nothing here."), &head.headers, &[]));
    };
    let number = note(&shared, operation, &connection_id, &path_and_query, &head.headers, &body);
    let slowness = shared.with(|world| world.slowness);
    let fault = shared.with(|world| {
        let index = world.faults.iter().position(|(faulty, _)| *faulty == operation)?;
        Some(world.faults.remove(index).1)
    });
    if fault == Some(Fault::LoseRequest) {
        return Err(Lost);
    }
    let reply = match &fault {
        Some(Fault::Status { status, code, .. }) => Reply::error(*status, code, "Scripted by the test."),
        _ => {
            let asked = Asked {
                operation,
                connection_id,
                rest,
                method: method.to_owned(),
                path_and_query,
                headers: head.headers.clone(),
                body: body.to_vec(),
            };
            // Done to its end, even when nobody waits for the reply any more.
            let (doing, shared) = (Arc::clone(&shared), Arc::clone(&shared));
            let (tell, told) = tokio::sync::oneshot::channel();
            shared.spawn(async move {
                let _ = tell.send(answer(&doing, asked).await);
            });
            told.await.map_err(|_| Lost)?
        }
    };
    tokio::time::sleep(slowness).await;
    shared.change(|world| world.requests[number].status = Some(reply.status));
    match fault {
        Some(Fault::LoseReply) => Err(Lost),
        Some(Fault::Garble) => Ok(garbled(reply.status)),
        Some(Fault::Status { retry_after: Some(seconds), .. }) => {
            Ok(response(&reply, &head.headers, &[("retry-after", seconds.to_string())]))
        }
        _ => Ok(response(&reply, &head.headers, &[])),
    }
}

/// One request of the API.
#[derive(Debug)]
pub(super) struct Asked {
    pub operation: Operation,
    pub connection_id: Option<String>,
    /// Of the path, behind the operation.
    pub rest: String,
    method: String,
    path_and_query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    pub fn version(&self) -> String {
        let (_, query) = self.path_and_query.split_once('?').unwrap_or_default();
        parameter(query, "api-version").unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

fn note(
    shared: &Shared,
    operation: Operation,
    connection_id: &Option<String>,
    path_and_query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> usize {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = Request {
        operation,
        at: Instant::now(),
        connection_id: connection_id.clone(),
        path_and_query: path_and_query.to_owned(),
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
        authorization: text("authorization").unwrap_or_default(),
        repeatability_id: text("repeatability-request-id"),
        status: None,
    };
    shared.change(|world| {
        world.requests.push(request);
        world.requests.len() - 1
    })
}

/// Who may ask, and what was asked before.
async fn answer(shared: &Arc<Shared>, asked: Asked) -> Reply {
    if let Err(reply) = admit(shared, &asked) {
        return reply;
    }
    let body: Value = match asked.body.is_empty() {
        true => json!({}),
        false => match serde_json::from_slice(&asked.body) {
            Ok(body) => body,
            Err(_) => return Reply::bad("The request body is not valid JSON."),
        },
    };
    if !asked.operation.is_repeatable() {
        return operations::perform(shared, &asked, &body).await;
    }
    let id = match repeatability(&asked) {
        Ok(id) => id,
        Err(why) => {
            shared.change(|world| world.violation(format!("{:?}: {why}", asked.operation)));
            return operations::perform(shared, &asked, &body).await;
        }
    };
    let key = format!("{:?} {:?} {id}", asked.operation, asked.connection_id);
    let once: Arc<OnceCell<Reply>> = shared.with(|world| Arc::clone(world.replies.entry(key).or_default()));
    once.get_or_init(|| operations::perform(shared, &asked, &body)).await.clone()
}

/// The id that makes a repeated request the same.
fn repeatability(asked: &Asked) -> Result<String, String> {
    let id = asked.header("repeatability-request-id").ok_or("no Repeatability-Request-ID")?;
    Uuid::parse_str(id).map_err(|_| format!("Repeatability-Request-ID {id:?} is no UUID"))?;
    let sent = asked.header("repeatability-first-sent").ok_or("no Repeatability-First-Sent")?;
    signature::http_date(sent).ok_or(format!("Repeatability-First-Sent {sent:?} is no HTTP date"))?;
    Ok(format!("{id} {sent}"))
}

fn admit(shared: &Shared, asked: &Asked) -> Result<(), Reply> {
    let authorization = asked.header("authorization").unwrap_or_default();
    if let Some(bearer) = authorization.strip_prefix("Bearer ") {
        if shared.service.bearer.as_deref() != Some(bearer) {
            return Err(Reply::error(401, "7501", "The token is not valid."));
        }
    } else {
        let Asked { method, path_and_query, headers, body, .. } = asked;
        signature::check(&shared.service.access_key, method, path_and_query, headers, body)
            .map_err(|why| Reply::error(401, "7509", &format!("HMAC: {why}")))?;
    }
    match asked.version() {
        version if VERSIONS.contains(&version.as_str()) => Ok(()),
        version => Err(Reply::bad(&format!("The api-version {version:?} is not supported."))),
    }
}

/// What is not part of Call Automation: the keys of its tokens, and the directory's tokens for it.
async fn elsewhere(shared: &Shared, method: &str, path: &str) -> Option<Reply> {
    match (method, path) {
        ("GET", OPENID) => Some(Reply::new(
            200,
            json!({
                "issuer": super::token::ISSUER,
                "jwks_uri": format!("http://{}{JWKS}", shared.address),
                "id_token_signing_alg_values_supported": ["RS256"],
            }),
        )),
        ("GET", JWKS) => {
            let slowness = shared.change(|world| {
                world.jwks_fetches += 1;
                world.jwks_slowness
            });
            tokio::time::sleep(slowness).await;
            Some(Reply::new(200, shared.keys().jwks()))
        }
        ("POST", path) if path.ends_with("/oauth2/v2.0/token") => Some(entra_token(shared)),
        ("GET", "/metadata/identity/oauth2/token") => Some(entra_token(shared)),
        _ => None,
    }
}

fn entra_token(shared: &Shared) -> Reply {
    shared.change(|world| world.tokens += 1);
    match &shared.service.bearer {
        Some(bearer) => {
            Reply::new(200, json!({"token_type": "Bearer", "expires_in": 3_599, "access_token": bearer}))
        }
        None => Reply::new(401, json!({"error": "invalid_client", "error_description": "AADSTS7000215"})),
    }
}

fn response(reply: &Reply, asked: &HeaderMap, more: &[(&str, String)]) -> Response<Body> {
    let mut headers: HashMap<&str, String> = more.iter().cloned().collect();
    headers.insert("x-microsoft-skype-chain-id", Uuid::new_v4().to_string());
    headers.insert("ms-cv", "0.0.1.1".to_owned());
    if let Some(id) = asked.get("x-ms-client-request-id").and_then(|id| id.to_str().ok()) {
        headers.insert("x-ms-client-request-id", id.to_owned());
    }
    if asked.contains_key("repeatability-request-id") {
        headers.insert("repeatability-result", "accepted".to_owned());
    }
    let body = match &reply.body {
        Value::Null => Body::empty(),
        body => {
            headers.insert("content-type", "application/json; charset=utf-8".to_owned());
            Body::from(body.to_string())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (hyper::header::HeaderName::try_from(name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn garbled(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::from("<html>The gateway has a bad day.</html>"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}
