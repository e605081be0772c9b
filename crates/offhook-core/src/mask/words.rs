//! The words by which numbers are spoken, and by which one tells that a secret is being talked about.

/// Digits by their names, in the languages offhook speaks.
const DIGITS: &[(&str, &[&str])] = &[
    ("0", &["zero", "nought", "cero", "zéro", "null", "nul"]),
    ("1", &["one", "uno", "una", "un", "une", "eins", "een", "één"]),
    ("2", &["two", "dos", "deux", "zwei", "zwo", "due", "dois", "duas", "twee"]),
    ("3", &["three", "tres", "trois", "drei", "tre", "três", "drie"]),
    ("4", &["four", "cuatro", "quatre", "vier", "quattro", "quatro"]),
    ("5", &["five", "cinco", "cinq", "fünf", "cinque", "vijf"]),
    ("6", &["six", "seis", "sechs", "sei", "meia", "zes"]),
    ("7", &["seven", "siete", "sept", "sieben", "sette", "sete", "zeven"]),
    ("8", &["eight", "ocho", "huit", "acht", "otto", "oito"]),
    ("9", &["nine", "nueve", "neuf", "neun", "nove", "negen"]),
];

/// Two digits in one word.
const PAIRS: &[(&str, &str)] = &[
    ("10", "ten"),
    ("11", "eleven"),
    ("12", "twelve"),
    ("13", "thirteen"),
    ("14", "fourteen"),
    ("15", "fifteen"),
    ("16", "sixteen"),
    ("17", "seventeen"),
    ("18", "eighteen"),
    ("19", "nineteen"),
    ("20", "twenty"),
    ("30", "thirty"),
    ("40", "forty"),
    ("50", "fifty"),
    ("60", "sixty"),
    ("70", "seventy"),
    ("80", "eighty"),
    ("90", "ninety"),
];

/// Zero, but only between other digits.
pub const OH: &[&str] = &["o", "oh"];

/// How often the next digit is meant.
pub const TIMES: &[(&str, usize)] = &[("double", 2), ("triple", 3)];

/// Said between two digits of one number.
pub const BETWEEN: &[&str] = &["dash", "hyphen", "minus", "space", "then", "and", "uh", "um", "er"];

/// Said before digits that are nothing but an answer.
pub const ANSWER: &[&str] = &[
    "it", "is", "it's", "its", "that's", "that", "yes", "ok", "okay", "sure", "the", "well", "so", "es",
    "ist", "sí", "oui", "ja",
];

/// After a number: it is an amount.
pub const UNITS: &[&str] = &[
    "dollar", "dollars", "bucks", "cents", "euro", "euros", "pound", "pounds", "percent", "people",
    "minutes", "hours", "days", "weeks", "months", "years", "miles", "pesos", "dólares", "prozent",
    "minuten", "stunden", "minutos", "heures",
];

/// A secret that is said or typed to show who one is.
const CODE: &[&str] = &[
    "code",
    "codes",
    "passcode",
    "pin",
    "otp",
    "tan",
    "cvv",
    "cvc",
    "password",
    "código",
    "codigo",
    "clave",
    "contraseña",
    "codice",
    "kennwort",
    "passwort",
    "bestätigungscode",
    "sicherheitscode",
    "senha",
    "wachtwoord",
    "beveiligingscode",
];

/// Before `code`: no secret.
const HARMLESS: &[&str] = &[
    "zip",
    "postal",
    "post",
    "area",
    "country",
    "dialing",
    "dialling",
    "city",
    "error",
    "dress",
    "promo",
    "promotion",
    "promotional",
    "discount",
    "coupon",
    "voucher",
    "product",
    "item",
    "status",
    "source",
    "color",
    "colour",
    "tax",
    "bar",
    "qr",
    "building",
    "sort",
    "department",
    "diagnosis",
    "billing",
];

/// Before `code`: what was booked, unless it comes to a phone.
const BOOKED: &[&str] =
    &["confirmation", "booking", "reservation", "reference", "order", "tracking", "ticket"];
const TO_A_PHONE: &[&str] = &["sent", "text", "texted", "sms", "message", "app", "one-time", "received"];

/// Of several words.
const CODE_PHRASES: &[&[&str]] = &[&["one", "time"], &["mot", "de", "passe"], &["security", "number"]];
const CARD_PHRASES: &[&[&str]] = &[
    &["card", "number"],
    &["card", "numbers"],
    &["credit", "card"],
    &["debit", "card"],
    &["number", "on", "the", "card"],
    &["number", "on", "your", "card"],
    &["card", "details"],
    &["número", "de", "tarjeta"],
    &["numéro", "de", "carte"],
    &["carte", "bancaire"],
    &["número", "do", "cartão"],
    &["numero", "della", "carta"],
];
const CARD: &[&str] = &["kreditkarte", "kartennummer", "kreditkartennummer", "creditcard", "kaartnummer"];

/// The digits of a word in lower case.
pub fn digits(word: &str) -> Option<&'static str> {
    let single = DIGITS.iter().find(|(_, names)| names.contains(&word)).map(|(digit, _)| *digit);
    single.or_else(|| PAIRS.iter().find(|(_, name)| *name == word).map(|(digits, _)| *digits))
}

/// Whether a code is talked about.
pub fn mention_code(words: &[String]) -> bool {
    let at = |index: usize| words.get(index).map_or("", String::as_str);
    let says = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let named = words.iter().enumerate().any(|(index, word)| {
        let before = index.checked_sub(1).map_or("", at);
        let harmless = HARMLESS.contains(&before) || (BOOKED.contains(&before) && !says(TO_A_PHONE));
        CODE.contains(&word.as_str()) && !harmless
    });
    named || CODE_PHRASES.iter().any(|phrase| say(words, phrase))
}

/// Whether the number of a card is talked about.
pub fn mention_card(words: &[String]) -> bool {
    words.iter().any(|word| CARD.contains(&word.as_str()))
        || CARD_PHRASES.iter().any(|phrase| say(words, phrase))
}

fn say(words: &[String], phrase: &[&str]) -> bool {
    words.windows(phrase.len()).any(|window| window.iter().zip(phrase).all(|(word, wanted)| word == wanted))
}
