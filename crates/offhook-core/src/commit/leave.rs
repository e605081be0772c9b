//! What leave a text gives: which acts the call instructions, or the owner's words, order to be done.
//!
//! An act has leave where it is ordered: at the beginning of a clause (*book a table*), after *please*, *and* or *then*,
//! or as what somebody wants or may do (*you may order two*). To speak of it is no leave: not as a noun, in a question,
//! below *ask whether*, and where it is forbidden. In doubt there is none: a breach too many is looked at and found
//! harmless, one too few is not looked at.

use super::pattern::{Place, Sentence, sentences};
use super::{ALL, Act, Phrases, phrases};

/// By which a language orders, wonders and forbids.
pub(super) struct Ways {
    /// What comes right before an act that is ordered, besides *and*.
    orders: &'static [&'static str],
    /// What comes before an act that somebody wants, or may do.
    wants: &'static [&'static str],
    /// Says that it is others who want it.
    others: &'static [&'static str],
    /// Begins what is to be found out.
    wonders: &'static [&'static str],
    /// In what is to be found out: a second act after an *and* is a part of it.
    shares: &'static [&'static str],
    /// Between a question and an act: what follows is no part of the question.
    proceeds: &'static [&'static str],
    /// Before an act, besides the negations.
    forbids: &'static [&'static str],
    /// After an act: of nothing it is done.
    none: &'static [&'static str],
    /// By which what is forbidden goes on.
    goes_on: &'static [&'static str],
    /// To agree by these is to take what was offered, and no more.
    takes: &'static [&'static str],
}

/// Whether this text orders this act, in whatever language it is written.
pub fn is_tasked(text: &str, act: Act) -> bool {
    ALL.iter().any(|phrases| {
        let sentences = sentences(text, phrases);
        let ordered = |sentence: &Sentence<'_>| {
            let rows = phrases.tasks.iter().filter(|(named, _)| *named == act);
            rows.flat_map(|(_, pattern)| sentence.find(pattern))
                .any(|place| phrases.is_ordered(sentence, place))
        };
        sentences.iter().any(ordered)
    })
}

/// Whether this agreement only takes what was offered (*I'll take it*, *let's do Tuesday*): that is how somebody books
/// and buys. To terms, prices and offers nobody agrees so.
pub fn is_taking(text: &str, language: &str) -> bool {
    let Some(phrases) = phrases(language) else { return false };
    let sentences = sentences(text, phrases);
    !sentences.is_empty() && sentences.iter().any(|sentence| sentence.says(phrases.ways.takes))
}

impl Phrases {
    fn is_ordered(&self, sentence: &Sentence<'_>, place: Place) -> bool {
        let ways = self.ways;
        let (from, _) = place;
        if sentence.is_question || self.is_forbidden(sentence, place) || self.is_wondered(sentence, from) {
            return false;
        }
        let wonder = sentence.last_before(from, ways.wonders);
        let begins = sentence.begins_clause(from);
        let follows = |phrases: &[&str]| sentence.stands_before(from, phrases);
        let shared = |wonder: Place| sentence.says_between(wonder.1, from, ways.shares);
        begins
            || follows(ways.orders)
            || follows(&[self.and]) && wonder.is_none_or(|wonder| !shared(wonder))
            || follows(ways.wants) && wonder.is_none() && sentence.last_before(from, ways.others).is_none()
    }

    /// Whether a question of an earlier clause goes on here: *ask how to cancel, change or move it*.
    fn is_wondered(&self, sentence: &Sentence<'_>, at: usize) -> bool {
        let ways = self.ways;
        let clause = sentence.clause(at);
        let Some(wonder) = sentence.last_of_earlier_clauses(at, ways.wonders) else { return false };
        let end = sentence.end_of_clause(wonder.0);
        let proceeds = sentence.says_between(end, at, ways.proceeds);
        let is_second = clause == sentence.clause(wonder.0) + 1;
        let goes_on = !is_second || !sentence.clause_begins_with(at, &[self.and]);
        // *If* at the beginning asks nothing.
        wonder.0 > 0 && sentence.says_between(wonder.1, end, ways.shares) && goes_on && !proceeds
    }

    fn is_forbidden(&self, sentence: &Sentence<'_>, (from, to): Place) -> bool {
        let ways = self.ways;
        let no = |at: usize| {
            sentence.last_before(at, self.negations).is_some()
                || sentence.last_before(at, ways.forbids).is_some()
        };
        let end = sentence.end_of_clause(from);
        let is_bare = to >= end;
        let earlier = || {
            sentence.last_of_earlier_clauses(from, self.negations).is_some()
                || sentence.last_of_earlier_clauses(from, ways.forbids).is_some()
        };
        let none = |from: usize, to: usize| sentence.says_between(from, to, ways.none);
        no(from)
            || ways.none.iter().chain(self.negations).any(|word| sentence.goes_on(to, word).is_some())
            || none(to, end) && !sentence.says_between(to, end, self.conditions)
            || is_bare && (earlier() || none(to, sentence.len()))
            || earlier() && sentence.says_between(to, end, ways.goes_on)
    }
}

pub(super) static ENGLISH: Ways = Ways {
    orders: &["please", "then", "go ahead and"],
    wants: &[
        "want|wants|wanted|wish|wishes|need|needs|like|love to",
        "want|wants|need|needs|like you|them|him|her|us to",
        "ask|tell|get them|him|her|someone|somebody to",
        "ask to",
        "call|calls|calling|phone|ring|contact … to",
        "call|calls|calling|phone|ring|contact … … to",
        "you may|can|should|must|will|shall",
        "you have|are|need to",
        "free|allowed|authorized|authorised|permitted|welcome|okay|ok|fine to",
        "try|sure to",
        "task|goal|job|aim|purpose … is to",
    ],
    others: &[
        "they",
        "it",
        "company|clinic|restaurant|shop|office|staff|agent|receptionist want|wants|need|needs|wish|wishes|like|likes",
    ],
    wonders: &[
        "whether|if|what|which|how|when|where|who|why|whom|whose",
        "cost|costs|price|prices|fee|fees|charge|charges|penalty|deadline|way|process|procedure|policy to",
        "possible|necessary|needed|required|takes|take|enough|option|options|right to",
    ],
    shares: &["can|could|may|might|would|will|should|must|shall|to|possible|able|need|needs"],
    proceeds: &["if so|yes|not|possible|they|it|there", "otherwise", "then", "in that case"],
    forbids: &[
        "no|without|nor|neither|cannot",
        "avoid|refuse|decline|refrain",
        "forbidden|unable|reluctant to",
    ],
    none: &["no", "nothing", "none", "nobody", "neither"],
    goes_on: &["or|nor|any|anything|either"],
    takes: &[
        "take|have … it|that|this|one|slot|table|room|appointment|two|three|first|second|last",
        "let us",
        "go with|for",
        "like … slot|table|appointment|room|time|opening|it|one",
        "take it|that|this|one",
        "that|it works|suits",
        "count me|us|him|her in",
        "it|that is a deal",
        "^ deal",
        "^ do it",
        "go ahead",
    ],
};

pub(super) static GERMAN: Ways = Ways {
    orders: &["bitte", "dann"],
    wants: &[
        "du|sie darfst|kannst|sollst|dürfen|können|sollen …",
        "ich|wir|er|sie möchte|möchten|will|wollen …",
        "um … zu",
        "bitte …",
    ],
    others: &["man"],
    wonders: &["ob|was|wie|wann|wo|wer|warum|welche|welcher|welches|wenn|falls"],
    shares: &["kann|können|darf|muss|zu"],
    proceeds: &["wenn ja", "falls ja", "dann", "sonst"],
    forbids: &["ohne", "keinesfalls"],
    none: &["nichts", "kein*"],
    goes_on: &["oder|noch|irgend*"],
    takes: &["nehme|nehmen|passt", "machen wir", "abgemacht"],
};

pub(super) static DUTCH: Ways = Ways {
    orders: &["alstublieft", "dan", "graag"],
    wants: &["je|u mag|kunt|kan|moet …", "ik|wij|we|hij|zij wil|willen|wilt …", "om … te"],
    others: &["men"],
    wonders: &["of|wat|hoe|wanneer|waar|wie|waarom|welke|als"],
    shares: &["kan|kunnen|mag|moet|te"],
    proceeds: &["zo ja", "dan", "anders"],
    forbids: &["zonder"],
    none: &["niets", "geen"],
    goes_on: &["of|noch|iets"],
    takes: &["neem|nemen|past", "afgesproken"],
};

pub(super) static FRENCH: Ways = Ways {
    orders: &["s il vous|te plaît", "puis", "ensuite"],
    wants: &[
        "veux|voudrais|veut|voudrait|souhaite|peux|pouvez|dois|devez",
        "appelle|appelez|appeler … pour",
        "pour",
    ],
    others: &["ils", "on"],
    wonders: &["si|que|quoi|combien|comment|quand|où|qui|pourquoi|quel|quelle|quels|quelles"],
    shares: &["peut|peuvent|pouvez|faut|doit|pour|de"],
    proceeds: &["si oui", "sinon", "puis", "ensuite"],
    forbids: &["sans", "ni"],
    none: &["rien", "aucun", "aucune"],
    goes_on: &["ou|ni"],
    takes: &["prends|prenons|prendrai|prendrons", "convient", "va"],
};

pub(super) static SPANISH: Ways = Ways {
    orders: &["por favor", "luego", "después"],
    wants: &["quiero|quisiera|quiere|desea|puede|puedes|debe|debes", "llama|llame|llamar … para"],
    others: &["ellos"],
    wonders: &["si|qué|que|cuánto|cómo|cuándo|dónde|quién|cuál"],
    shares: &["puede|pueden|puedo|hay|para|de"],
    proceeds: &["si sí", "si es así", "entonces", "luego"],
    forbids: &["sin", "ni"],
    none: &["nada", "ninguno", "ninguna"],
    goes_on: &["o|ni"],
    takes: &["quedo|quedamos|tomo|tomamos", "me|nos lo|la", "va bien"],
};

pub(super) static ITALIAN: Ways = Ways {
    orders: &["per favore", "poi"],
    wants: &["voglio|vorrei|vuole|vorrebbe|può|puoi|deve|devi", "chiama|chiamare … per"],
    others: &["loro"],
    wonders: &["se|che|quanto|come|quando|dove|chi|quale|cosa"],
    shares: &["può|possono|posso|deve|per|di"],
    proceeds: &["se sì", "poi", "allora"],
    forbids: &["senza", "né"],
    none: &["niente", "nulla", "nessuno"],
    goes_on: &["o|né"],
    takes: &["prendo|prendiamo", "va bene", "mi|ci va"],
};

pub(super) static PORTUGUESE: Ways = Ways {
    orders: &["por favor", "depois"],
    wants: &["quero|queria|quer|gostaria de|pode|podes|deve|deves", "ligue|ligar|liga … para"],
    others: &["eles"],
    wonders: &["se|que|quanto|como|quando|onde|quem|qual"],
    shares: &["pode|podem|posso|deve|para|de"],
    proceeds: &["se sim", "então", "depois"],
    forbids: &["sem", "nem"],
    none: &["nada", "nenhum", "nenhuma"],
    goes_on: &["ou|nem"],
    takes: &["fico|ficamos", "serve", "pode ser"],
};
