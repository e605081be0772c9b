//! Recordings: where one is, for who holds a key; the bytes, for who holds a signed link.

use std::io::SeekFrom;
use std::path::Path;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION,
    RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::range::{Part, part};
use super::request::{InPath, Known};
use crate::gateway::CallError;

/// A third of a second of stereo at 8 kHz, at a time.
const CHUNK: usize = 16 * 1_024;

/// Where the recording of a call is: a redirect to a link that works without a key for a while.
#[utoipa::path(
    get, path = "/call/{id}/recording", operation_id = "get_recording", tag = "recordings", params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 302, headers(("Location" = String, description = "The signed link."))),
        (status = "4XX", body = ErrorBody),
    ),
    security(("key" = [])),
)]
pub async fn locate(
    State(api): State<Api>,
    Known(caller): Known,
    id: Result<InPath, ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let InPath(id) = id.map_err(|_| CallError::NoRecording)?;
    let path = api.gateway.sign_recording(caller, id).await?;
    let location = format!("{}{path}", api.public_url.for_request(&headers));
    Ok((StatusCode::FOUND, [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())]).into_response())
}

/// The signature of a link.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Signed {
    /// Seconds since the Unix epoch.
    expires: i64,
    signature: String,
}

/// The recording behind a signed link: WAV, stereo, the remote left and the voice right. Ranges are served.
#[utoipa::path(
    get, path = "/recordings/{id}", operation_id = "download_recording", tag = "recordings",
    params(("id" = String, Path, description = "The call."), Signed),
    responses(
        (status = 200, content_type = "audio/wav", body = Vec<u8>),
        (status = 206, content_type = "audio/wav", body = Vec<u8>),
        (status = "4XX", body = ErrorBody),
    ),
    security(()),
)]
pub async fn download(
    State(api): State<Api>,
    id: Result<InPath, ApiError>,
    query: Result<Query<Signed>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let InPath(id) = id.map_err(|_| CallError::NoRecording)?;
    let Query(signed) = query.map_err(|_| CallError::NoRecording)?;
    let recording = api.gateway.signed_recording(id, signed.expires, &signed.signature).await?;
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let mut response = serve(&recording.path, range).await?;
    let headers = response.headers_mut();
    let name = format!("inline; filename=\"{id}.wav\"");
    headers.extend(
        [(CONTENT_TYPE, recording.content_type.parse()), (CONTENT_DISPOSITION, name.parse())]
            .into_iter()
            .filter_map(|(header, value)| Some((header, value.ok()?))),
    );
    Ok(response)
}

async fn serve(path: &Path, range: Option<&str>) -> Result<Response, ApiError> {
    let unreadable = |error: std::io::Error| match error.kind() {
        // Retention was quicker.
        std::io::ErrorKind::NotFound => ApiError::from(CallError::NoRecording),
        _ => {
            tracing::error!(%error, "a recording can't be read");
            ApiError::internal()
        }
    };
    let mut file = File::open(path).await.map_err(unreadable)?;
    let length = file.metadata().await.map_err(unreadable)?.len();
    let (status, first, count) = match part(range, length) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Bytes(bytes) => (StatusCode::PARTIAL_CONTENT, *bytes.start(), bytes.end() - bytes.start() + 1),
        Part::Unsatisfiable => return Ok(unsatisfiable(length)),
    };
    file.seek(SeekFrom::Start(first)).await.map_err(unreadable)?;
    // A live recording grows; what was promised is sent.
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(count), CHUNK));
    let headers = [
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, count.to_string()),
        (CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    let mut response = (status, headers, body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{length}", first + count - 1);
        response.headers_mut().extend(range.parse().ok().map(|range| (CONTENT_RANGE, range)));
    }
    Ok(response)
}

fn unsatisfiable(length: u64) -> Response {
    let message = format!("the recording has {length} bytes; ask for a part of them");
    let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", message);
    ([(CONTENT_RANGE, format!("bytes */{length}"))], error).into_response()
}
