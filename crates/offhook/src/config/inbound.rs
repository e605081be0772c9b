//! How calls to our lines are answered: `[inbound]` for all of them, `[[inbound.line]]` where one differs,
//! `[[inbound.caller]]` for those who are known.

use jiff::tz::TimeZone;
use offhook_core::PhoneNumber;
use offhook_core::brief::Pin;
use offhook_core::policy::{Access, Hours, LineRules, Listed, NumberPattern, Outside, Trust, Window};
use secrecy::ExposeSecret as _;

use super::build::Build;
use super::choice;
use super::keys::Kind::{Bool, Choice, Int, List, Secret, SecretUrl, Text};
use super::keys::{Key, key};
use super::raw::{RawAgent, RawConfig, RawInbound, RawInboundCaller, RawInboundLine};
use super::secret::RawSecret;
use crate::gateway::{AgentsFor, Inbound, Known, NoticeFormat, Notify, Purpose, Reception, VOICES};
use crate::webhooks;

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("inbound.instructions", Text, "", "What the voice does when somebody calls: for whom it answers, what it takes down, what it never promises. Without it calls are declined."),
    key("inbound.greeting", Text, "", "The first words, after the disclosure."),
    key("inbound.closed_greeting", Text, "that of all times", "The first words outside of the hours."),
    key("inbound.personality", Text, "", "Identity, tone and boundaries, in one to three sentences."),
    key("inbound.voice", Choice(&VOICES), VOICES[0], "How it sounds."),
    key("inbound.language", Text, "speech.language", "The language it answers in."),
    key("inbound.trusted_instructions", Text, "", "What is for trusted callers alone, beyond the instructions; no other call ever holds it."),
    key("inbound.callers", Choice(choice::LineAccess::WORDS), choice::LineAccess::DEFAULT, "Who may call: anybody, nobody, those of `[[inbound.caller]]`, or whoever gives the PIN."),
    key("inbound.trust", Choice(choice::Trust::WORDS), choice::Trust::DEFAULT, "What shows that a trusted caller is the one: the PIN, or the number alone. Numbers can be forged."),
    key("inbound.pin", Secret, "", "Four to twelve digits, keyed or spoken. Write it as a reference: `${NAME}` or `file:/path`."),
    key("inbound.anonymous", Bool, "true", "Whether callers who show no number are let in."),
    key("inbound.hours", List, "at any time", "When somebody is there: `[\"Mon-Fri 09:00-17:00\", \"Sat 10:00-14:00\"]`; `daily 08:00-20:00`; past midnight `Fri 22:00-04:00`."),
    key("inbound.time_zone", Text, "", "In which the hours are, by its IANA name: `America/New_York`."),
    key("inbound.outside_hours", Choice(choice::Outside::WORDS), choice::Outside::DEFAULT, "What becomes of callers outside of the hours: declined, or a message is taken and nothing else."),
    key("inbound.calls_per_day", Int, "no limit", "Calls to the line in any 24 hours."),
    key("inbound.calls_per_day_per_caller", Int, "no limit", "The same, of one caller. Callers without a number are one."),
    key("inbound.concurrent_calls", Int, "no limit", "Calls to the line at a time; `line.max_calls` is the carrier's own."),
    key("inbound.concurrent_calls_per_caller", Int, "no limit", "The same, of one caller."),
    key("inbound.messages", Bool, "true", "Whether the voice takes messages."),
    key("inbound.spam", Bool, "true", "Whether the voice ends calls that are spam."),
    key("inbound.handoff_number", Text, "", "Whom callers are connected with, where the instructions say so."),
    key("inbound.agents", List, "all", "Names of the agents that work for trusted callers; `[]` for none."),
    key("inbound.webhook_url", SecretUrl, "", "Where the events of the calls are sent, signed as [webhooks](webhooks.md) are."),
    key("inbound.notify_url", Secret, "", "Where a chat is told of each call once it is over: an incoming webhook of Slack, Mattermost, Discord or the like."),
    key("inbound.notify_format", Choice(choice::NoticeFormat::WORDS), choice::NoticeFormat::DEFAULT, "What it is sent: `{\"text\": …}`, `{\"content\": …}`, or the facts as JSON."),
    key("inbound.notify_whole_numbers", Bool, "false", "Whether it reads the caller's whole number."),
    key("inbound.notify_declined", Bool, "false", "Whether it is told of declined calls too."),
    key("inbound.pin_attempts", Int, "3", "How often a PIN may be wrong in one call. After six in an hour a caller is not asked again, after thirty nobody is."),
    key("inbound.blocked", List, "[]", "Numbers, and beginnings of numbers (`+1415*`), that no line of ours is answered for."),
    key("inbound.spam_block_after", Int, "2", "After so many spam calls in 90 days a number is not answered any more; 0: it always is."),
    key("inbound.account_agents", List, "[]", "Names of the agents that work for trusted callers of lines that are accounts'."),
    key("inbound.line[].number", Text, "", "One of our lines. What is not said for it is as for all."),
    key("inbound.line[].instructions", Text, "inbound.instructions", "As `inbound.instructions`, for this line."),
    key("inbound.line[].greeting", Text, "inbound.greeting", "As `inbound.greeting`, for this line."),
    key("inbound.line[].closed_greeting", Text, "inbound.closed_greeting", "As `inbound.closed_greeting`, for this line."),
    key("inbound.line[].personality", Text, "inbound.personality", "As `inbound.personality`, for this line."),
    key("inbound.line[].voice", Choice(&VOICES), "inbound.voice", "As `inbound.voice`, for this line."),
    key("inbound.line[].language", Text, "inbound.language", "As `inbound.language`, for this line."),
    key("inbound.line[].trusted_instructions", Text, "inbound.trusted_instructions", "As `inbound.trusted_instructions`, for this line."),
    key("inbound.line[].callers", Choice(choice::LineAccess::WORDS), "inbound.callers", "As `inbound.callers`, for this line."),
    key("inbound.line[].trust", Choice(choice::Trust::WORDS), "inbound.trust", "As `inbound.trust`, for this line."),
    key("inbound.line[].pin", Secret, "inbound.pin", "As `inbound.pin`, for this line."),
    key("inbound.line[].anonymous", Bool, "inbound.anonymous", "As `inbound.anonymous`, for this line."),
    key("inbound.line[].hours", List, "inbound.hours", "As `inbound.hours`, for this line."),
    key("inbound.line[].time_zone", Text, "inbound.time_zone", "As `inbound.time_zone`, for this line."),
    key("inbound.line[].outside_hours", Choice(choice::Outside::WORDS), "inbound.outside_hours", "As `inbound.outside_hours`, for this line."),
    key("inbound.line[].calls_per_day", Int, "inbound.calls_per_day", "As `inbound.calls_per_day`, for this line."),
    key("inbound.line[].calls_per_day_per_caller", Int, "inbound.calls_per_day_per_caller", "As `inbound.calls_per_day_per_caller`, for this line."),
    key("inbound.line[].concurrent_calls", Int, "inbound.concurrent_calls", "As `inbound.concurrent_calls`, for this line."),
    key("inbound.line[].concurrent_calls_per_caller", Int, "inbound.concurrent_calls_per_caller", "As `inbound.concurrent_calls_per_caller`, for this line."),
    key("inbound.line[].messages", Bool, "inbound.messages", "As `inbound.messages`, for this line."),
    key("inbound.line[].spam", Bool, "inbound.spam", "As `inbound.spam`, for this line."),
    key("inbound.line[].handoff_number", Text, "inbound.handoff_number", "As `inbound.handoff_number`, for this line."),
    key("inbound.line[].agents", List, "inbound.agents", "As `inbound.agents`, for this line."),
    key("inbound.line[].webhook_url", SecretUrl, "inbound.webhook_url", "As `inbound.webhook_url`, for this line."),
    key("inbound.line[].notify_url", Secret, "inbound.notify_url", "As `inbound.notify_url`, for this line."),
    key("inbound.line[].notify_format", Choice(choice::NoticeFormat::WORDS), "inbound.notify_format", "As `inbound.notify_format`, for this line."),
    key("inbound.line[].notify_whole_numbers", Bool, "inbound.notify_whole_numbers", "As `inbound.notify_whole_numbers`, for this line."),
    key("inbound.line[].notify_declined", Bool, "inbound.notify_declined", "As `inbound.notify_declined`, for this line."),
    key("inbound.caller[].number", Text, "", "A number in E.164, or the beginning of several: `+1415*`."),
    key("inbound.caller[].name", Text, "", "Who that is, for the voice."),
    key("inbound.caller[].lines", List, "all", "The lines this is for."),
    key("inbound.caller[].trusted", Bool, "false", "Whether they have the agents and the trusted instructions, once `trust` is met."),
    key("inbound.caller[].pin", Secret, "inbound.pin", "A PIN of their own."),
    key("inbound.caller[].instructions", Text, "those of the line", "What the voice is for when they call."),
    key("inbound.caller[].greeting", Text, "that of the line", "Their first words."),
    key("inbound.caller[].language", Text, "that of the line", "In which they are answered."),
];

/// What is written for a line, and for what is not, what is written for all.
macro_rules! laid_over {
    ($usual:expr, $line:expr; $($field:ident),* $(,)?) => {
        RawInboundLine {
            number: $line.number.clone(),
            $($field: $line.$field.clone().or_else(|| $usual.$field.clone()),)*
        }
    };
}

/// Where to say what is wrong: in the table of the line, if it stands there.
struct Place<'a> {
    line: Option<(usize, &'a RawInboundLine)>,
}

pub(super) fn inbound(build: &mut Build<'_>, raw: &RawConfig, webhooks: &webhooks::Settings) -> Inbound {
    let written = &raw.inbound;
    let agents =
        |build: &mut Build<'_>, key: &str, names: Option<&[String]>| agents(build, key, names, &raw.agent);
    let account_agents = match written.account_agents.as_deref() {
        None => AgentsFor::Nobody,
        names => agents(build, "inbound.account_agents", names),
    };
    let callers = callers(build, &written.caller);
    let reception = |build: &mut Build<'_>, line: Option<(usize, &RawInboundLine)>| {
        let place = Place { line };
        let of_line = line.map(|(_, line)| line.clone()).unwrap_or_default();
        let laid = laid_over!(written, of_line; instructions, greeting, closed_greeting, personality, voice, language, trusted_instructions, callers, trust, pin, anonymous, hours, time_zone, outside_hours, calls_per_day, calls_per_day_per_caller, concurrent_calls, concurrent_calls_per_caller, messages, spam, handoff_number, agents, webhook_url, notify_url, notify_format, notify_whole_numbers, notify_declined);
        let number = line.and_then(|(_, line)| line.number.as_deref());
        let callers = callers.iter().filter(|caller| caller.is_for(number));
        let reception = one(build, &place, written, &laid, callers.collect(), webhooks);
        let key = place.key("agents", |line| line.agents.is_some());
        let agents = agents(build, &key, laid.agents.as_deref());
        Reception { agents, ..reception }
    };
    let usual = reception(build, None);
    let mut lines: Vec<(PhoneNumber, Reception)> = Vec::new();
    for (index, line) in written.line.iter().enumerate() {
        let of_line = reception(build, Some((index, line)));
        let Some(number) = line_number(build, index, line, raw) else { continue };
        if lines.iter().any(|(other, _)| *other == number) {
            build.problem(format!("inbound.line[{index}].number"), "is configured twice");
        }
        lines.push((number, of_line));
    }
    Inbound { usual, lines, account_agents }
}

impl Place<'_> {
    /// The key a value comes from, which is in the line's own table if it is written there.
    fn key(&self, name: &str, is_of_line: impl Fn(&RawInboundLine) -> bool) -> String {
        match self.line {
            Some((index, line)) if is_of_line(line) => format!("inbound.line[{index}].{name}"),
            _ => format!("inbound.{name}"),
        }
    }
}

/// A caller, as written and as meant.
struct Caller<'a> {
    index: usize,
    raw: &'a RawInboundCaller,
    number: NumberPattern,
    known: Known,
}

impl Caller<'_> {
    fn is_for(&self, line: Option<&str>) -> bool {
        let Some(lines) = &self.raw.lines else { return true };
        let same =
            |written: &String| match (written.parse::<PhoneNumber>(), line.map(str::parse::<PhoneNumber>)) {
                (Ok(one), Some(Ok(other))) => one == other,
                _ => false,
            };
        lines.iter().any(same)
    }
}

fn callers<'a>(build: &mut Build<'_>, raw: &'a [RawInboundCaller]) -> Vec<Caller<'a>> {
    let mut callers = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let at = format!("inbound.caller[{index}]");
        let Some(number) = raw.number.as_deref() else {
            build.problem(
                format!("{at}.number"),
                "is missing: a number in E.164, or the beginning of several (+1415*)",
            );
            continue;
        };
        for line in raw.lines.iter().flatten() {
            if line.parse::<PhoneNumber>().is_err() {
                build.problem(format!("{at}.lines"), format!("has {line:?}, which is no number in E.164"));
            }
        }
        let known = Known {
            name: raw.name.clone(),
            instructions: raw.instructions.clone(),
            greeting: raw.greeting.clone(),
            language: raw.language.clone(),
            pin: pin(build, &format!("{at}.pin"), raw.pin.as_ref()),
        };
        let parsed = number.parse().map_err(|why| format!("{number:?}: {why}"));
        let Some(number) = build.ok(&format!("{at}.number"), parsed) else { continue };
        callers.push(Caller { index, raw, number, known });
    }
    callers
}

fn one(
    build: &mut Build<'_>,
    place: &Place<'_>,
    usual: &RawInbound,
    laid: &RawInboundLine,
    callers: Vec<&Caller<'_>>,
    webhooks: &webhooks::Settings,
) -> Reception {
    let pin = pin(build, &place.key("pin", |line| line.pin.is_some()), laid.pin.as_ref());
    let rules = rules(build, place, usual, laid, &callers, pin.is_some());
    let zone_key = place.key("time_zone", |line| line.time_zone.is_some());
    let known: Vec<Known> = callers.iter().map(|caller| caller.known.clone()).collect();
    Reception {
        purpose: purpose(build, place, usual, laid, rules.access),
        zone: zone(build, &zone_key, laid.time_zone.as_deref(), rules.hours.is_some()),
        rules,
        known,
        pin,
        pin_attempts: build.u32("inbound.pin_attempts", usual.pin_attempts, 3).max(1),
        user: build.parse(
            &place.key("handoff_number", |line| line.handoff_number.is_some()),
            laid.handoff_number.as_deref(),
            "a number in E.164",
        ),
        takes_messages: laid.messages.unwrap_or(true),
        ends_spam: laid.spam.unwrap_or(true),
        agents: AgentsFor::All,
        webhook_url: webhook(build, place, laid, webhooks),
        notify: notify(build, place, laid, webhooks),
    }
}

fn purpose(
    build: &mut Build<'_>,
    place: &Place<'_>,
    usual: &RawInbound,
    laid: &RawInboundLine,
    access: Access,
) -> Option<Purpose> {
    let Some(instructions) = laid.instructions.clone().filter(|text| !text.trim().is_empty()) else {
        let is_said = laid.greeting.is_some()
            || laid.personality.is_some()
            || laid.voice.is_some()
            || laid.trusted_instructions.is_some();
        // What is said for all may be meant for lines that have instructions of their own.
        let is_alone = place.line.is_some() || usual.line.is_empty();
        if is_said && access != Access::Closed && is_alone {
            let key = place.key("instructions", |_| true);
            build.problem(key, "is missing: what the voice should do when somebody calls");
        }
        return None;
    };
    Some(Purpose {
        trusted_instructions: laid.trusted_instructions.clone(),
        greeting: laid.greeting.clone(),
        closed_greeting: laid.closed_greeting.clone(),
        personality: laid.personality.clone(),
        voice: laid.voice.clone().unwrap_or_else(|| VOICES[0].to_owned()),
        language: laid.language.clone(),
        ..Purpose::new(instructions)
    })
}

fn rules(
    build: &mut Build<'_>,
    place: &Place<'_>,
    usual: &RawInbound,
    laid: &RawInboundLine,
    callers: &[&Caller<'_>],
    has_pin: bool,
) -> LineRules {
    let access = match laid.callers.unwrap_or_default() {
        choice::LineAccess::Open => Access::Open,
        choice::LineAccess::Closed => Access::Closed,
        choice::LineAccess::List => Access::Listed,
        choice::LineAccess::Pin => Access::Pin,
    };
    let trust = match laid.trust.unwrap_or_default() {
        choice::Trust::Pin => Trust::Pin,
        choice::Trust::Number => Trust::Number,
    };
    // What is wrong with one that is written was said.
    let is_written = laid.pin.is_some();
    if access == Access::Pin && !is_written {
        let key = place.key("callers", |line| line.callers.is_some());
        build.problem(key, "is \"pin\", which needs a pin");
    }
    let listed: Vec<Listed> = callers
        .iter()
        .map(|caller| Listed {
            number: caller.number.clone(),
            trusted: caller.raw.trusted.unwrap_or(false),
            has_pin: caller.known.pin.is_some(),
            put_through: false,
        })
        .collect();
    for (caller, listed) in callers.iter().zip(&listed) {
        if listed.trusted && trust == Trust::Pin && !listed.has_pin && !is_written && access != Access::Closed
        {
            let key = format!("inbound.caller[{}].trusted", caller.index);
            build.problem(key, "is true, but there is no PIN to show it with: set inbound.pin, or inbound.trust = \"number\"");
        }
    }
    let mut count =
        |name: &str, value: Option<u64>| value.map(|_| build.u32(&format!("inbound.{name}"), value, 0));
    let (calls_per_day, calls_per_day_per_caller) = (
        count("calls_per_day", laid.calls_per_day),
        count("calls_per_day_per_caller", laid.calls_per_day_per_caller),
    );
    let (concurrent_calls, concurrent_calls_per_caller) = (
        count("concurrent_calls", laid.concurrent_calls),
        count("concurrent_calls_per_caller", laid.concurrent_calls_per_caller),
    );
    let spam_calls = build.u32("inbound.spam_block_after", usual.spam_block_after, 2);
    LineRules {
        access,
        trust,
        has_pin,
        listed,
        blocked: build.each("inbound.blocked", usual.blocked.as_deref()),
        anonymous: laid.anonymous.unwrap_or(true),
        hours: hours(build, place, laid),
        outside: match laid.outside_hours.unwrap_or_default() {
            choice::Outside::Decline => Outside::Decline,
            choice::Outside::Message => Outside::Messages,
        },
        calls_per_day,
        calls_per_day_per_caller,
        concurrent_calls,
        concurrent_calls_per_caller,
        spam_calls: Some(spam_calls).filter(|most| *most > 0),
        ..LineRules::default()
    }
}

fn hours(build: &mut Build<'_>, place: &Place<'_>, laid: &RawInboundLine) -> Option<Hours> {
    let written = laid.hours.as_deref()?;
    let key = place.key("hours", |line| line.hours.is_some());
    Some(Hours::new(build.each::<Window>(&key, Some(written))))
}

fn zone(build: &mut Build<'_>, key: &str, written: Option<&str>, has_hours: bool) -> TimeZone {
    let Some(name) = written else {
        if has_hours {
            build.problem(key, "is missing: the zone the hours are in, e.g. America/New_York");
        }
        return TimeZone::UTC;
    };
    let zone = TimeZone::get(name.trim()).map_err(|_| format!("{name:?} is no time zone of the IANA"));
    build.ok(key, zone).unwrap_or(TimeZone::UTC)
}

fn pin(build: &mut Build<'_>, key: &str, written: Option<&RawSecret>) -> Option<Pin> {
    let digits = build.secret(key, written)?;
    let pin = Pin::parse(digits.expose_secret()).ok_or("must be four to twelve digits");
    build.ok(key, pin)
}

fn webhook(
    build: &mut Build<'_>,
    place: &Place<'_>,
    laid: &RawInboundLine,
    webhooks: &webhooks::Settings,
) -> Option<String> {
    let url = laid.webhook_url.as_ref()?;
    let key = place.key("webhook_url", |line| line.webhook_url.is_some());
    build.ok(&key, webhooks.reach.check(url))?;
    Some(url.clone())
}

fn notify(
    build: &mut Build<'_>,
    place: &Place<'_>,
    laid: &RawInboundLine,
    webhooks: &webhooks::Settings,
) -> Option<Notify> {
    let key = place.key("notify_url", |line| line.notify_url.is_some());
    let url = build.secret(&key, laid.notify_url.as_ref())?;
    build.ok(&key, webhooks.reach.check(url.expose_secret()))?;
    Some(Notify {
        url,
        format: match laid.notify_format.unwrap_or_default() {
            choice::NoticeFormat::Slack => NoticeFormat::Slack,
            choice::NoticeFormat::Discord => NoticeFormat::Discord,
            choice::NoticeFormat::Json => NoticeFormat::Json,
        },
        whole_numbers: laid.notify_whole_numbers.unwrap_or(false),
        declined: laid.notify_declined.unwrap_or(false),
    })
}

fn agents(build: &mut Build<'_>, key: &str, names: Option<&[String]>, known: &[RawAgent]) -> AgentsFor {
    let Some(names) = names else { return AgentsFor::All };
    for name in names {
        if !known.iter().any(|agent| agent.name.as_deref() == Some(name)) {
            build.problem(key, format!("has {name:?}, which is the name of no [[agent]]"));
        }
    }
    if names.is_empty() { AgentsFor::Nobody } else { AgentsFor::Named(names.to_vec()) }
}

/// One of our own: what is said for another line would guard none.
fn line_number(
    build: &mut Build<'_>,
    index: usize,
    line: &RawInboundLine,
    raw: &RawConfig,
) -> Option<PhoneNumber> {
    let key = format!("inbound.line[{index}].number");
    let Some(number) = line.number.as_deref() else {
        build.problem(key, "is missing: the number of one of our lines");
        return None;
    };
    let parsed = number.parse::<PhoneNumber>().map_err(|why| format!("{number:?}: {why}"));
    let number = build.ok(&key, parsed)?;
    let is_ours = raw.line.iter().any(|line| {
        line.number
            .as_deref()
            .is_some_and(|text| text.parse::<PhoneNumber>().is_ok_and(|ours| ours == number))
    });
    if !is_ours && !raw.line.is_empty() {
        build.problem(key, "is none of our lines; every one has a [[line]]");
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Env};

    fn read(text: &str) -> Result<Inbound, String> {
        let env = Env::from([("MY_PIN", "24680")]);
        Config::parse(text, &env).map(|config| config.inbound).map_err(|error| error.to_string())
    }

    fn number(text: &str) -> PhoneNumber {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_differs_in_what_is_said_for_it() {
        let inbound = read(
            r#"
            [[carrier.sip.trunk]]
            server = "sip.example.com"
            [[line]]
            number = "+12065551188"
            [[line]]
            number = "+12065551189"

            [[agent]]
            name = "main"
            kind = "owner"

            [inbound]
            instructions = "Answer for Mira."
            greeting = "Hello."
            callers = "pin"
            pin = "${MY_PIN}"
            calls_per_day_per_caller = 5
            blocked = ["+1900*"]
            agents = ["main"]
            spam_block_after = 0

            [[inbound.line]]
            number = "+12065551189"
            instructions = "Take orders."
            callers = "list"
            trust = "number"
            hours = ["Mon-Fri 09:00-17:00"]
            time_zone = "Europe/Berlin"
            outside_hours = "message"
            agents = []

            [[inbound.caller]]
            number = "+1206555*"
            name = "Ana"
            lines = ["+1 206 555 1189"]
            trusted = true
            "#,
        )
        .unwrap();
        let usual = inbound.of(&number("+12065551188"));
        assert_eq!(
            (usual.rules.access, usual.rules.trust, usual.rules.has_pin),
            (Access::Pin, Trust::Pin, true)
        );
        assert!(usual.pin.as_ref().is_some_and(|pin| pin.is("24680")) && usual.rules.listed.is_empty());
        assert_eq!(usual.agents, AgentsFor::Named(vec!["main".to_owned()]));
        assert_eq!((usual.rules.calls_per_day_per_caller, usual.rules.spam_calls), (Some(5), None));

        let shop = inbound.of(&number("+12065551189"));
        assert_eq!((shop.rules.access, shop.rules.trust), (Access::Listed, Trust::Number));
        assert_eq!((shop.rules.outside, shop.agents.clone()), (Outside::Messages, AgentsFor::Nobody));
        assert_eq!(shop.zone.iana_name(), Some("Europe/Berlin"));
        assert_eq!((shop.rules.listed.len(), shop.known[0].name.as_deref()), (1, Some("Ana")));
        // What is not said for the line is as for all of them.
        assert_eq!((shop.rules.calls_per_day_per_caller, shop.rules.blocked.len()), (Some(5), 1));
        let purpose = shop.purpose.as_ref().unwrap();
        assert_eq!(
            (purpose.instructions.as_str(), purpose.greeting.as_deref()),
            ("Take orders.", Some("Hello."))
        );
        assert!(!format!("{inbound:?}").contains("24680"));
    }

    #[test]
    fn nothing_said_is_nobody_answered() {
        let inbound = read("").unwrap();
        assert!(inbound.usual.purpose.is_none() && inbound.lines.is_empty());
        assert_eq!(inbound.account_agents, AgentsFor::Nobody);
    }

    #[test]
    fn what_is_wrong_is_said() {
        const LINE: &str =
            "[[carrier.sip.trunk]]\nserver = \"sip.example.com\"\n[[line]]\nnumber = \"+12065551188\"\n";
        for (text, expected) in [
            ("[inbound]\ngreeting = \"Hi.\"", "inbound.instructions is missing"),
            (
                "[inbound]\ninstructions = \"A.\"\ncallers = \"pin\"",
                "inbound.callers is \"pin\", which needs a pin",
            ),
            ("[inbound]\npin = \"12\"", "inbound.pin must be four to twelve digits"),
            ("[inbound]\nhours = [\"9 to 5\"]\ntime_zone = \"UTC\"", "inbound.hours has \"9 to 5\""),
            ("[inbound]\nhours = [\"daily 08:00-20:00\"]", "inbound.time_zone is missing"),
            ("[inbound]\ntime_zone = \"Mars/Olympus\"", "is no time zone"),
            ("[inbound]\nhandoff_number = \"12\"", "is not a number in E.164"),
            (
                "[inbound]\nnotify_url = \"http://example.com/\"",
                "inbound.notify_url must begin with https://",
            ),
            ("[inbound]\nagents = [\"nobody\"]", "is the name of no [[agent]]"),
            ("[inbound]\nblocked = [\"all\"]", "inbound.blocked has \"all\""),
            ("[[inbound.caller]]\nname = \"Ana\"", "inbound.caller[0].number is missing"),
            ("[[inbound.caller]]\nnumber = \"+1206*\"\ntrusted = true", "there is no PIN to show it with"),
            ("[[inbound.line]]\ninstructions = \"A.\"", "inbound.line[0].number is missing"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let other = format!("{LINE}[[inbound.line]]\nnumber = \"+12065551189\"\ninstructions = \"A.\"");
        assert!(read(&other).unwrap_err().contains("is none of our lines"));
        let twice = format!(
            "{LINE}{}",
            "[[inbound.line]]\nnumber = \"+12065551188\"\ninstructions = \"A.\"\n".repeat(2)
        );
        assert!(read(&twice).unwrap_err().contains("configured twice"));
        // Said once, however many lines read it.
        let shared = format!("{LINE}[inbound]\npin = \"12\"\n[[inbound.line]]\nnumber = \"+12065551188\"");
        assert_eq!(read(&shared).unwrap_err().matches("four to twelve").count(), 1);
    }
}
