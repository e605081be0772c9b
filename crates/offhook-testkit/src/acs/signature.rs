//! The signature of a request, checked as the service does.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;

/// How far the clocks may be apart.
const CLOCKS_APART_S: i64 = 15 * 60;
/// The form of a date in HTTP.
pub(super) const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Why a request is refused, or nothing.
pub(super) fn check(
    key: &[u8],
    method: &str,
    path_and_query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), String> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| format!("the header {name} is missing"))
    };
    let (date, host, hash) = (header("x-ms-date")?, header("host")?, header("x-ms-content-sha256")?);
    if hash != STANDARD.encode(digest::digest(&digest::SHA256, body)) {
        return Err("x-ms-content-sha256 is not the hash of the body".to_owned());
    }
    let at = http_date(date).ok_or_else(|| format!("x-ms-date {date:?} is no HTTP date"))?;
    if (jiff::Timestamp::now().as_second() - at.as_second()).abs() > CLOCKS_APART_S {
        return Err(format!("x-ms-date {date} is too far from now"));
    }
    let signed = format!("{method}\n{path_and_query}\n{date};{host};{hash}");
    let signature = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes()));
    let wanted =
        format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
    if header("authorization")? != wanted {
        return Err("the signature is not that of this request".to_owned());
    }
    Ok(())
}

pub(super) fn http_date(text: &str) -> Option<jiff::Timestamp> {
    let civil = jiff::civil::DateTime::strptime(HTTP_DATE, text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
