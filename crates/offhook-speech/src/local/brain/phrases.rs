//! The words the rules of [`super::hearing`] look for: lower case, without punctuation.

/// Facts that get asked for, and the words by which. The more special come first.
pub const FACTS: &[(&str, &[&str])] = &[
    ("card number", &["card number", "credit card", "debit card", "cvv", "expiration date"]),
    ("date of birth", &["date of birth", "birth date", "birthdate", "birthday", "born"]),
    ("one-time code", &["one time code", "one time password", "security code", "verification code",
        "access code", "code we sent", "code we have sent", "passcode"]),
    ("password", &["password", "pass phrase"]),
    ("PIN", &["pin", "pin number", "pin code"]),
    ("social security number", &["social security", "ssn"]),
    ("account number", &["account number"]),
    ("insurance number", &["insurance number", "member number", "member id", "policy number", "insurance"]),
    ("reference number", &["reference number", "confirmation number", "order number", "booking number",
        "case number", "invoice number"]),
    ("phone number", &["phone number", "callback number", "call back number", "telephone number",
        "contact number", "mobile number", "number to reach"]),
    ("email address", &["email", "e mail"]),
    ("address", &["address", "zip code", "postal code"]),
    ("name", &["your name", "name please", "full name", "last name", "first name", "under what name",
        "under which name", "what name", "which name", "patient's name", "spell the name", "name is it"]),
];

/// Never told to anybody, whatever the instructions hold.
pub const SECRETS: &[&str] = &[
    "card number", "one-time code", "password", "PIN", "social security number",
];

pub const VOICEMAIL: &[&str] = &[
    "leave a message", "leave your message", "leave us a message", "leave me a message", "leave your name",
    "after the tone", "after the beep", "at the tone", "voicemail", "voice mail", "answering machine",
    "record your message", "mailbox", "cannot take your call", "can't take your call",
    "unable to take your call", "can't come to the phone", "cannot come to the phone",
];

/// What a recording says that does not call itself a voicemail, in a long speech of its own.
pub const RECORDED: &[&str] = &[
    "get back to you", "call you back", "return your call", "ring you back", "as soon as i can", "as soon as we can",
    "as soon as possible", "out of the office", "not here right now", "not in right now", "on another call",
    "talking to another customer", "with another customer", "outside of our hours", "outside our hours",
    "currently closed",
];

/// Who asks for callers on somebody's behalf.
pub const SCREENING: &[&str] = &[
    "call screening", "screening service", "screening this call", "screening your call", "screens calls",
    "call assist", "assistant for this number", "see if this person is available",
];

pub const SAY_WHO: &[&str] = &[
    "state your name", "say your name", "tell me your name", "give your name", "record your name",
];

pub const SAY_WHY: &[&str] = &[
    "why you are calling", "why you're calling", "reason for your call", "reason for calling",
    "purpose of your call", "what this is about", "what it is about",
];

/// Wants to be told something by keys.
pub const BY_KEYS: &[&str] = &[
    "with the keys", "on the keys", "with your keypad", "on your keypad", "using your keypad", "the keypad",
    "type it", "type its", "type the", "type your", "type in", "key in", "enter the", "enter your", "enter its",
    "keys of your phone", "keys of the phone", "touch tone", "dial in your", "punch in",
];

/// Asks for a yes that costs or binds.
pub const COMMIT: &[&str] = &[
    "shall i book", "should i book", "shall we book", "shall i reserve", "should i reserve", "shall i order",
    "should i order", "shall i go ahead", "should i go ahead", "shall i schedule", "should i schedule",
    "shall i sign you up", "shall i put you down", "shall i charge", "charge the card", "charge your card",
    "charge it to", "card on file", "place the order", "confirm the booking", "confirm the order",
    "do you accept", "do you agree to",
];

pub const YES: &[&str] = &[
    "yes", "yeah", "yep", "sure", "ok", "okay", "all right", "alright", "put them through", "put him through",
    "put her through", "put it through", "connect me", "connect us", "i'll take it", "i will take it", "i'll join",
    "i will join", "go ahead",
];

pub const NO: &[&str] = &[
    "no", "not now", "nope", "can't talk", "cannot talk", "can't join", "cannot join", "can't right now",
    "don't want", "do not want", "later", "busy", "call back", "in a meeting",
];

pub const HOLD: &[&str] = &[
    "please hold", "hold the line", "hold on", "hold please", "one moment", "just a moment",
    "a moment please", "one second", "just a second", "just a minute", "one minute please", "on hold",
    "will connect you", "transfer you", "transferring you", "putting you through", "put you through",
    "stay on the line", "your call is important", "next available", "all our agents", "all of our agents",
    "lines are busy", "wait a moment", "bear with me",
];

pub const HOLD_OVER: &[&str] = &[
    "for holding", "for waiting", "for your patience",
];

pub const WRONG_NUMBER: &[&str] = &[
    "wrong number", "no one by that name", "nobody by that name", "nobody here by that",
];

pub const NOT_WANTED: &[&str] = &[
    "not interested", "don't call", "do not call", "stop calling", "remove me", "take me off", "take us off",
    "leave me alone", "leave us alone",
];

pub const HANDOFF: &[&str] = &[
    "put them on", "put him on", "put her on", "put them through", "connect me to", "connect me with",
    "hand me over", "pass the phone", "give the phone", "can i speak", "may i speak", "could i speak",
    "let me speak", "must speak", "need to speak", "have to speak", "want to speak", "can i talk",
    "may i talk", "could i talk", "let me talk", "must talk", "need to talk", "have to talk", "want to talk",
    "rather speak", "rather talk", "like to speak", "like to talk", "speak to the account holder",
    "account holder in person", "account holder directly", "is he there", "is she there", "are they there",
    "bring them to the phone", "get them on the phone",
];

pub const ROBOT: &[&str] = &[
    "are you a robot", "are you a machine", "are you a computer", "are you a bot", "are you an ai",
    "are you ai", "are you real", "are you a real", "are you human", "are you a human", "are you a person",
    "is this a robot", "is this a machine", "is this a recording", "is this a computer", "is this a bot",
    "is this an ai", "is this a real", "talking to a robot", "talking to a machine", "talking to a computer",
    "talking to a real", "speaking to a robot", "speaking to a machine", "speaking with a robot",
    "talking with a robot",
];

pub const WHO_CALLS: &[&str] = &[
    "who is calling", "who's calling", "who am i speaking", "who am i talking", "who is this", "who's this",
    "who are you",
];

pub const REPEAT: &[&str] = &[
    "say that again", "say it again", "repeat that", "repeat it", "please repeat", "can you repeat",
    "could you repeat", "pardon", "what did you say", "come again", "didn't catch", "did not catch",
    "didn't understand", "did not understand", "don't understand", "can't hear you", "cannot hear you",
    "can you hear me", "are you there", "are you still there", "anybody there", "anyone there",
    "is someone there",
];

pub const DECISION: &[&str] = &[
    "is that good", "is that ok", "is that okay", "is that all right", "is that alright", "is that fine",
    "is it good", "is it ok", "is it okay", "is it fine", "does that work", "does it work",
    "would that work", "would it work", "does that suit", "would that be", "shall i", "shall we", "should i",
    "should we", "would you like", "do you want", "would you prefer", "do you prefer", "do you agree",
    "can you confirm", "good for you", "work for you", "ok for you", "okay for you", "fine for you",
];

pub const GREETING: &[&str] = &[
    "hello", "hi", "good morning", "good afternoon", "good evening", "how can i help", "how may i help",
    "how could i help", "can i help you", "may i help you", "help you today", "what can i do for you",
    "this is", "speaking", "for holding", "for waiting",
];

pub const OFFERS_HELP: &[&str] = &[
    "can i help", "may i help", "could i help", "i help you", "help you today", "can i do for you",
    "may i do for you", "is it about", "are you calling about",
];

pub const GOODBYE: &[&str] = &[
    "goodbye", "good bye", "bye", "bye bye", "have a nice day", "have a good day", "have a great day",
    "have a nice evening", "have a good evening", "have a good one",
];

pub const ASKING: &[&str] = &[
    "what is", "what's", "what was", "may i have", "can i have", "could i have", "can i get", "could i get",
    "can you", "could you", "would you", "please", "need", "needed", "give me", "tell me", "read me",
    "provide", "confirm", "verify", "enter", "who", "who's", "which", "without", "what", "do you have",
    "do you know", "when",
];

pub const QUESTION: &[&str] = &[
    "what", "what's", "which", "when", "where", "who", "how many", "how much", "how long", "how old",
    "do you have",
];

pub const POSSESSIVE: &[&str] = &[
    "what is your", "what's your", "what is the patient's", "what is his", "what is her", "what is their",
];
