//! The numbers of a resource of Azure Communication Services, asked for with a signed request: whether its key is good,
//! and which numbers can call.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;
use offhook_carrier::acs::{AccessKey, ConnectionString, Signable};
use offhook_core::PhoneNumber;
use reqwest::header::{AUTHORIZATION, HOST};
use serde::Deserialize;

const PATH: &str = "/phoneNumbers?skip=0&top=100&api-version=2022-12-01";
const PATIENCE: Duration = Duration::from_secs(20);

/// A number of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub number: PhoneNumber,
    /// It can call, and not only be called or send texts.
    pub calls: bool,
    pub is_called: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum NumbersError {
    #[error("the access key is not that of this resource; copy the connection string again")]
    Key,
    #[error("{host} can't be reached: {why}; check the endpoint of the connection string, and the network")]
    Unreachable { host: String, why: String },
    /// The key is good; what else is wrong with the question matters to nobody who knows the numbers.
    #[error("the resource does not list its numbers (it answered {status})")]
    NotListed { status: u16 },
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "phoneNumbers", default)]
    numbers: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "phoneNumber")]
    number: String,
    #[serde(default)]
    capabilities: Capabilities,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    calling: String,
}

/// The numbers that were bought for this resource.
pub async fn owned(resource: &ConnectionString) -> Result<Vec<Owned>, NumbersError> {
    let url = format!("{}{PATH}", resource.endpoint);
    let host = resource.endpoint.split_once("://").map_or("", |(_, host)| host).to_owned();
    let unreachable = |error: &dyn std::fmt::Display| NumbersError::Unreachable {
        host: host.clone(),
        why: error.to_string(),
    };
    let key = AccessKey::parse(&resource.access_key).ok_or(NumbersError::Key)?;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    let date = date.map_err(|error| unreachable(&error))?;
    let signed =
        key.sign(&Signable { method: "GET", path_and_query: PATH, host: &host, date: &date, body: b"" });
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    let request = http.build().map_err(|error| unreachable(&error))?.get(url);
    let request = request.header(HOST, &host).header("x-ms-date", date);
    let request = request.header("x-ms-content-sha256", signed.content_sha256);
    let answer = request.header(AUTHORIZATION, signed.authorization).send().await;
    let answer = answer.map_err(|error| unreachable(&error.without_url()))?;
    match answer.status().as_u16() {
        401 => return Err(NumbersError::Key),
        200 => {}
        status => return Err(NumbersError::NotListed { status }),
    }
    let page: Page = answer.json().await.map_err(|_| NumbersError::NotListed { status: 200 })?;
    let known = |listed: Listed| {
        let number = PhoneNumber::parse(&listed.number).ok()?;
        let calling = listed.capabilities.calling;
        Some(Owned { number, calls: calling.contains("outbound"), is_called: calling.contains("inbound") })
    };
    Ok(page.numbers.into_iter().filter_map(known).collect())
}
