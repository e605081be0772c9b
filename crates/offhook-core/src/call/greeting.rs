//! What the first words of a call say about whoever speaks them.

/// Who speaks like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// A hello, a name: machines have more to say.
    Short,
    Voicemail,
    Menu,
    /// It wants to know who is calling before it puts anybody through.
    Screening,
}

/// A person says no more than this before waiting for the other side.
const SHORT: usize = 6;

const SCREENING: &[&str] = &[
    "state your name",
    "say your name",
    "record your name",
    "screening service",
    "call screening",
    "call assist",
    "who is calling and why",
    "reason for your call",
    "reason for calling",
    "why you are calling",
    "why you're calling",
];

const VOICEMAIL: &[&str] = &[
    "after the tone",
    "after the beep",
    "at the tone",
    "at the beep",
    "leave a message",
    "leave your message",
    "leave me a message",
    "leave us a message",
    "leave your name and number",
    "record your message",
    "voice mail",
    "voicemail",
    "mailbox",
    "answering machine",
    "can't take your call",
    "cannot take your call",
    "unable to take your call",
    "can't come to the phone",
    "away from the phone",
    // German, French, Spanish, Italian, Portuguese, Dutch.
    "nach dem signalton",
    "nach dem ton",
    "nachricht hinterlassen",
    "hinterlassen sie",
    "mailbox von",
    "après le bip",
    "après le signal",
    "laissez un message",
    "laissez-moi un message",
    "boîte vocale",
    "después de la señal",
    "después del tono",
    "deje su mensaje",
    "deje un mensaje",
    "buzón de voz",
    "dopo il segnale",
    "lasciate un messaggio",
    "segreteria telefonica",
    "após o sinal",
    "deixe a sua mensagem",
    "deixe sua mensagem",
    "caixa postal",
    "na de piep",
    "na de toon",
    "spreek een bericht in",
];

const MENU: &[&str] = &[
    "main menu",
    "listen carefully as our",
    "menu options",
    "say or press",
    "press or say",
    "para español",
    "hauptmenü",
    "drücken sie",
    "tapez ",
    "appuyez sur",
    "oprima ",
    "presione ",
    "pulse ",
    "marque ",
    "premere ",
    "digiti ",
    "digite ",
    "toets ",
    "kies een",
];

/// A person offers what a machine announces.
const OFFERS: &[&str] = &[
    "would you like",
    "do you want",
    "can i take",
    "may i take",
    "could i take",
    "shall i",
    "should i",
    "i can take",
    "möchten sie",
    "voulez-vous",
    "quiere ",
    "desea ",
];

impl Greeting {
    /// What these words are said by; `None` where anybody may say them.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.to_lowercase().replace('\u{2019}', "'");
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        let words = text.split_whitespace().count();
        if has(SCREENING) {
            Some(Self::Screening)
        } else if has(MENU) || presses_a_key(&text) {
            Some(Self::Menu)
        } else if has(VOICEMAIL) && !has(OFFERS) {
            Some(Self::Voicemail)
        } else if (1..=SHORT).contains(&words) {
            Some(Self::Short)
        } else {
            None
        }
    }
}

/// "press one", "press 2 now", "press the pound key".
fn presses_a_key(text: &str) -> bool {
    const KEYS: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "pound", "star",
        "hash", "the", "any",
    ];
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let key = || words.clone().next().is_some_and(|key| KEYS.contains(&key) || key.parse::<u8>().is_ok());
        if word == "press" && key() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_first_words_tell() {
        let rows = [
            "Hello?",
            "Rivera Dental, Sam speaking.",
            "Good morning, this is the front desk of the Grand Hotel, how may I help you today?",
            "Hi, you've reached Sam. Please leave a message after the tone.",
            "The person you are calling is not available. At the tone, please record your message.",
            "Sam can't come to the phone right now. Would you like to leave a message with me?",
            "Thank you for calling. For sales, press 1. For support, press two.",
            "Please listen carefully as our options have changed.",
            "If you know your party's extension you may press it at any time.",
            "Please state your name and the reason for your call, and I'll see if this person is available.",
            "Guten Tag, bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
            "Pour le service client, tapez 1.",
            "The press is here, how can I help you with the story of today?",
            "",
        ];
        let table: String = rows.iter().map(|text| format!("{:?}: {text}\n", Greeting::of(text))).collect();
        expect![[r#"
            Some(Short): Hello?
            Some(Short): Rivera Dental, Sam speaking.
            None: Good morning, this is the front desk of the Grand Hotel, how may I help you today?
            Some(Voicemail): Hi, you've reached Sam. Please leave a message after the tone.
            Some(Voicemail): The person you are calling is not available. At the tone, please record your message.
            None: Sam can't come to the phone right now. Would you like to leave a message with me?
            Some(Menu): Thank you for calling. For sales, press 1. For support, press two.
            Some(Menu): Please listen carefully as our options have changed.
            None: If you know your party's extension you may press it at any time.
            Some(Screening): Please state your name and the reason for your call, and I'll see if this person is available.
            Some(Voicemail): Guten Tag, bitte hinterlassen Sie eine Nachricht nach dem Signalton.
            Some(Menu): Pour le service client, tapez 1.
            None: The press is here, how can I help you with the story of today?
            None: 
        "#]].assert_eq(&table);
    }
}
