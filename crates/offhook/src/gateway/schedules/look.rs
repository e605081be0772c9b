//! Finding out whether a condition holds.

use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command as Process;

use super::condition::{Command, Condition, Evidence, Finding, Header, Http, Method, Question};
use super::settings::{Program, Settings};
use crate::agents::{Agents, Request};
use crate::webhooks::Reach;

/// What is read of an answer.
const MOST_BYTES: usize = 256 * 1024;

const ASK: &str = "\
Decide whether the following is the case right now. Find it out with the means you have; don't guess. Answer with YES or NO \
as the first word, then a colon and the reason in one or two sentences. If you can't find it out, answer NO and say why.";

/// Whatever can be asked.
#[derive(Debug)]
pub(in crate::gateway) struct Looker {
    settings: Settings,
    reach: Reach,
    agents: Agents,
    http: OnceLock<Option<reqwest::Client>>,
}

impl Looker {
    pub fn new(settings: Settings, reach: Reach, agents: Agents) -> Self {
        Self { settings, reach, agents, http: OnceLock::new() }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// `before`: what was seen at the last look.
    pub async fn look(&self, condition: &Condition, before: Option<&str>) -> Finding {
        match condition {
            Condition::Always => Finding::always(),
            Condition::Http(http) => self.http(http, before).await,
            Condition::Command(command) => self.command(command, before).await,
            Condition::Question(question) => self.question(question).await,
        }
    }

    /// Without a pool: each look resolves the name anew. Without a proxy: it would connect where we may not.
    fn client(&self) -> Option<&reqwest::Client> {
        let build = || {
            reqwest::Client::builder()
                .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(self.reach.resolver())
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .pool_max_idle_per_host(0)
                .build()
                .inspect_err(|error| tracing::error!(%error, "conditions can't ask servers from here"))
                .ok()
        };
        self.http.get_or_init(build).as_ref()
    }

    async fn http(&self, http: &Http, before: Option<&str>) -> Finding {
        let evidence = Evidence { asked: asked(http), ..Evidence::default() };
        let request = match self.request(http) {
            Ok(request) => request,
            Err(why) => return Finding::unclear(evidence, why),
        };
        let answer = async {
            let response = request.send().await.map_err(|error| broken(&error, http.timeout))?;
            let status = response.status().as_u16();
            body(response).await.map(|body| (status, body)).map_err(|error| broken(&error, http.timeout))
        };
        let answer = tokio::time::timeout(http.timeout, answer).await;
        let silent = format!("there was no answer within {} s", http.timeout.as_secs());
        let (status, body) = match answer.unwrap_or(Err(silent)) {
            Ok((status, body)) => (status, body),
            Err(why) if http.status.take_silence() && http.test.is_none() => {
                return Finding::of_answer(Evidence { reason: why, ..evidence }, "", None, None);
            }
            Err(why) => return Finding::unclear(evidence, why),
        };
        let evidence = Evidence { status: Some(status), ..evidence };
        let reason = http.status.told(status);
        if !http.status.fit(Some(status)) {
            // Whoever asks for a value learns from an error page that it could not be seen.
            return match http.test {
                Some(_) => Finding::unclear(evidence, reason),
                None => Finding::no(evidence, reason),
            };
        }
        let evidence = Evidence { reason, ..evidence };
        Finding::of_answer(evidence, &body, http.test.as_ref(), before)
    }

    fn request(&self, http: &Http) -> Result<RequestBuilder, String> {
        // The operator may have changed what is allowed since.
        let url = self.reach.check(&http.url).map_err(|error| format!("the address {error}"))?;
        let client = self.client().ok_or("servers can't be asked from here")?;
        let mut request = match http.method {
            Method::Get => client.get(url),
            Method::Head => client.head(url),
            Method::Post => client.post(url),
        };
        for (name, value) in &http.headers {
            request = match value {
                Header::Plain(text) => request.header(name, text),
                Header::Secret { secret } => {
                    let value = self.settings.secret(secret, &http.url)?;
                    request.header(name, value.expose_secret())
                }
            };
        }
        Ok(match &http.body {
            Some(body) => request.body(body.clone()),
            None => request,
        })
    }

    async fn command(&self, command: &Command, before: Option<&str>) -> Finding {
        let evidence = Evidence { asked: format!("the command {}", command.name), ..Evidence::default() };
        let Some(program) = self.settings.command(&command.name) else {
            return Finding::unclear(evidence, "the operator has removed this command");
        };
        let (exit, output) = match run(program).await {
            Ok(ended) => ended,
            Err(why) => return Finding::unclear(evidence, why),
        };
        let Some(exit) = exit else { return Finding::unclear(evidence, "it was killed") };
        let evidence = Evidence { exit_code: Some(exit), ..evidence };
        match command.exit {
            Some(wanted) if wanted != exit => {
                let found = Finding::of_answer(evidence, &output, None, None);
                Finding::no(found.evidence, format!("it ended with {exit}, and not {wanted}"))
            }
            _ => {
                let evidence = Evidence { reason: format!("it ended with {exit}"), ..evidence };
                Finding::of_answer(evidence, &output, command.test.as_ref(), before)
            }
        }
    }

    async fn question(&self, question: &Question) -> Finding {
        let asked = format!("the agent: {}", question.question.trim());
        let evidence = Evidence { asked, ..Evidence::default() };
        let request = Request::new(format!("{ASK}\n\n{}", question.question.trim()));
        match self.agents.ask(question.agent.as_deref(), &request, self.settings.question_limit).await {
            Ok(answer) => Finding::of_agent(evidence, &answer),
            Err(error) => Finding::unclear(evidence, error.to_string()),
        }
    }
}

/// Without the query, which may hold what is nobody's business.
fn asked(http: &Http) -> String {
    let method = match http.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
    };
    match http.url.parse::<Url>() {
        Ok(mut url) => {
            url.set_query(None);
            format!("{method} {url}")
        }
        Err(_) => method.to_owned(),
    }
}

/// Never what the error itself says: it quotes addresses.
fn broken(error: &reqwest::Error, limit: Duration) -> String {
    match error {
        error if error.is_timeout() => format!("there was no answer within {} s", limit.as_secs()),
        error if error.is_connect() => {
            "no connection could be made: the name, the port or the certificate is wrong, or its address is not public"
                .to_owned()
        }
        _ => "the connection broke off before an answer came".to_owned(),
    }
}

/// As much of it as is read.
async fn body(mut response: Response) -> Result<String, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            bytes.truncate(MOST_BYTES);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A running program with all it started; killed when dropped.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// How it ended and what it wrote. It gets nothing from whoever asked for it: no argument, no input, no environment.
async fn run(program: &Program) -> Result<(Option<i32>, String), String> {
    const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];
    let (name, arguments) = program.argv.split_first().ok_or("it is not configured")?;
    let kept = KEPT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut process = Process::new(name);
    process
        .args(arguments)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = &program.directory {
        process.current_dir(directory);
    }
    let mut child = process.spawn().map_err(|error| {
        tracing::warn!(command = program.name, %error, "the command of a condition can't be started");
        "it can't be started; the log of the operator says why".to_owned()
    })?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Group);
    let stdout = child.stdout.take();
    let ended = async {
        let read = async {
            let mut bytes = Vec::new();
            if let Some(stdout) = stdout {
                let mut stdout = stdout.take(MOST_BYTES as u64);
                let _ = stdout.read_to_end(&mut bytes).await;
                // What it writes besides is read and dropped, so that it comes to its end.
                let _ = tokio::io::copy(&mut stdout.into_inner(), &mut tokio::io::sink()).await;
            }
            bytes
        };
        let status = async {
            let status = child.wait().await;
            // What it left behind may hold on to its output.
            drop(group);
            status
        };
        tokio::join!(read, status)
    };
    match tokio::time::timeout(program.limit, ended).await {
        Ok((bytes, Ok(status))) => Ok((status.code(), String::from_utf8_lossy(&bytes).into_owned())),
        Ok((_, Err(_))) => Err("its end was not seen".to_owned()),
        Err(_) => Err(format!("it was not over after {} s", program.limit.as_secs())),
    }
}
