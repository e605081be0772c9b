//! The guide to calling, by topic: the pages of the skill, which agents without it read here.

/// A page of the skill, and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub topic: &'static str,
    pub says: &'static str,
    pub text: &'static str,
}

macro_rules! page {
    ($topic:literal, $says:literal) => {
        Page {
            topic: $topic,
            says: $says,
            text: include_str!(concat!("../../../../skills/offhook/references/", $topic, ".md")),
        }
    };
}

pub const PAGES: [Page; 11] = [
    page!("outbound", "prepare, place, follow and report a call"),
    page!("briefing", "write call instructions that work"),
    page!("examples", "briefings and reports to compare yours with"),
    page!("follow-up", "what to do after a call that was blocked or failed"),
    page!("campaigns", "several places in parallel, for comparison"),
    page!("schedules", "calls by the clock, or when something is the case"),
    page!("handoff", "bring the user into a live call"),
    page!("errors", "what each refusal and outcome asks for"),
    page!("profile", "voice, personality, greeting, and settings for all calls"),
    page!("inbound", "calls to a line of the user's own"),
    page!("privacy", "keys, the state file, recordings, and what to say to nobody"),
];

pub const SCHEME: &str = "clawcall://guide/";

pub fn topics() -> [&'static str; PAGES.len()] {
    PAGES.map(|page| page.topic)
}

pub fn page(topic: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.topic == topic)
}
