//! What offhook says itself to have a PIN, or an approval, and which words of the other side answer it.

use super::{Approval, Language};

/// The sentences of one language, and its words for yes and no.
#[derive(Debug)]
pub struct Asking {
    /// As [`Language::tag`].
    tag: &'static str,
    pub give_pin: &'static str,
    pub pin_wrong: &'static str,
    pub pin_right: &'static str,
    /// When nobody gave it; the call ends.
    pub pin_missing: &'static str,
    /// Before what is to be approved, between that and its details, and after both.
    to_approve: &'static str,
    details: &'static str,
    that_is_all: &'static str,
    how: &'static str,
    how_with_pin: &'static str,
    pub not_clear: &'static str,
    pub approved: &'static str,
    pub declined: &'static str,
    pub goodbye: &'static str,
    yes: &'static [&'static str],
    no: &'static [&'static str],
    /// Words that make of a yes no clear yes.
    but: &'static [&'static str],
}

/// What somebody said to a question of yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Unclear,
}

impl Approval {
    /// What can be read out in half a minute, and be kept in mind.
    pub const OPERATION: usize = 200;
    pub const DETAILS: usize = 500;
}

impl Asking {
    /// More words than this are an explanation.
    const SHORT: usize = 8;

    pub fn of(language: &Language) -> &'static Self {
        Self::ALL.iter().find(|asking| asking.tag == language.tag).unwrap_or(&Self::ALL[0])
    }

    /// What is to be approved, and how. What an agent wrote is read between words of ours.
    pub fn read_out(&self, approval: &Approval) -> String {
        let mut text = format!("{} {}", self.to_approve, sentence(&approval.operation));
        if let Some(details) = &approval.details {
            text.push_str(&format!(" {} {}", self.details, sentence(details)));
        }
        format!("{text} {} {}", self.that_is_all, self.how(approval))
    }

    /// How to approve and how to decline.
    pub fn how(&self, approval: &Approval) -> &'static str {
        if approval.pin.is_some() { self.how_with_pin } else { self.how }
    }

    /// A yes is clear where nothing beside it limits it, asks back, or says no.
    pub fn answer(&self, text: &str) -> Answer {
        let words = crate::mask::words_beside_digits(text);
        let says = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let asks = text.contains(['?', '？']) || words.len() > Self::SHORT;
        match (says(self.yes), says(self.no)) {
            _ if asks => Answer::Unclear,
            (true, false) if !says(self.but) => Answer::Yes,
            (false, true) => Answer::No,
            _ => Answer::Unclear,
        }
    }

    /// English first: it stands in for what is missing.
    const ALL: &[Asking] = &[
        Asking {
            tag: "en",
            give_pin: "Please enter your PIN on the keypad and press the hash key, or say it digit by digit.",
            pin_wrong: "That was not the right PIN. Please try again.",
            pin_right: "Thank you.",
            pin_missing: "I am sorry, I cannot go on without the PIN. Goodbye.",
            to_approve: "I am asked to get your approval for this:",
            details: "The details:",
            that_is_all: "That is all of it.",
            how: "To approve, press 1. To decline, press 2 or say no.",
            how_with_pin: "To approve, press 1 and then your PIN, or say yes and your PIN. To decline, press 2 or say no.",
            not_clear: "I did not get a clear answer.",
            approved: "Thank you, that is approved.",
            declined: "All right, that is declined.",
            goodbye: "Goodbye.",
            yes: &["yes", "yeah", "yep", "approve", "approved", "confirm", "confirmed"],
            no: &[
                "no", "nope", "not", "don't", "never", "decline", "declined", "deny", "denied", "reject",
                "refuse", "cancel", "stop",
            ],
            but: &[
                "but", "only", "if", "unless", "except", "wait", "maybe", "what", "which", "who", "how",
                "why",
            ],
        },
        Asking {
            tag: "de",
            give_pin: "Bitte geben Sie Ihre PIN über die Tasten ein und drücken Sie die Rautetaste, oder sagen Sie sie Ziffer für Ziffer.",
            pin_wrong: "Das war nicht die richtige PIN. Bitte versuchen Sie es noch einmal.",
            pin_right: "Vielen Dank.",
            pin_missing: "Es tut mir leid, ohne die PIN geht es nicht weiter. Auf Wiederhören.",
            to_approve: "Ich soll hierfür Ihre Zustimmung einholen:",
            details: "Die Einzelheiten:",
            that_is_all: "Das ist alles.",
            how: "Um zuzustimmen, drücken Sie die 1. Um abzulehnen, drücken Sie die 2 oder sagen Sie nein.",
            how_with_pin: "Um zuzustimmen, drücken Sie die 1 und dann Ihre PIN, oder sagen Sie ja und Ihre PIN. Um abzulehnen, drücken Sie die 2 oder sagen Sie nein.",
            not_clear: "Ich habe keine klare Antwort bekommen.",
            approved: "Danke, das ist genehmigt.",
            declined: "In Ordnung, das ist abgelehnt.",
            goodbye: "Auf Wiederhören.",
            yes: &["ja", "jawohl", "jap", "genehmigt", "einverstanden", "bestätigt", "zustimmen"],
            no: &["nein", "nee", "nicht", "kein", "keine", "abgelehnt", "ablehnen", "stopp", "abbrechen"],
            but: &[
                "aber",
                "nur",
                "wenn",
                "falls",
                "außer",
                "moment",
                "vielleicht",
                "was",
                "welche",
                "wer",
                "wie",
                "warum",
            ],
        },
        Asking {
            tag: "fr",
            give_pin: "Veuillez saisir votre code PIN au clavier puis la touche dièse, ou le dire chiffre par chiffre.",
            pin_wrong: "Ce n'est pas le bon code. Veuillez réessayer.",
            pin_right: "Merci.",
            pin_missing: "Je suis désolé, je ne peux pas continuer sans le code. Au revoir.",
            to_approve: "On me demande d'obtenir votre accord pour ceci :",
            details: "Les détails :",
            that_is_all: "C'est tout.",
            how: "Pour accepter, appuyez sur 1. Pour refuser, appuyez sur 2 ou dites non.",
            how_with_pin: "Pour accepter, appuyez sur 1 puis votre code PIN, ou dites oui et votre code. Pour refuser, appuyez sur 2 ou dites non.",
            not_clear: "Je n'ai pas eu de réponse claire.",
            approved: "Merci, c'est approuvé.",
            declined: "Très bien, c'est refusé.",
            goodbye: "Au revoir.",
            yes: &["oui", "ouais", "d'accord", "accepte", "approuve", "approuvé", "confirme"],
            no: &["non", "pas", "jamais", "refuse", "refusé", "annule", "stop"],
            but: &[
                "mais",
                "seulement",
                "si",
                "sauf",
                "attendez",
                "quoi",
                "quel",
                "quelle",
                "qui",
                "comment",
                "pourquoi",
            ],
        },
        Asking {
            tag: "es",
            give_pin: "Por favor, marque su PIN y pulse la tecla almohadilla, o dígalo cifra por cifra.",
            pin_wrong: "Ese no era el PIN correcto. Por favor, inténtelo de nuevo.",
            pin_right: "Gracias.",
            pin_missing: "Lo siento, no puedo continuar sin el PIN. Adiós.",
            to_approve: "Se me pide su aprobación para lo siguiente:",
            details: "Los detalles:",
            that_is_all: "Eso es todo.",
            how: "Para aprobar, pulse 1. Para rechazar, pulse 2 o diga no.",
            how_with_pin: "Para aprobar, pulse 1 y luego su PIN, o diga sí y su PIN. Para rechazar, pulse 2 o diga no.",
            not_clear: "No he recibido una respuesta clara.",
            approved: "Gracias, queda aprobado.",
            declined: "De acuerdo, queda rechazado.",
            goodbye: "Adiós.",
            yes: &["sí", "si", "apruebo", "aprobado", "confirmo", "acepto"],
            no: &["no", "nunca", "rechazo", "rechazado", "cancela", "cancelar", "deniego"],
            but: &[
                "pero", "solo", "sólo", "salvo", "espere", "quizás", "qué", "cuál", "quién", "cómo", "cuando",
            ],
        },
        Asking {
            tag: "it",
            give_pin: "Digiti il suo PIN sulla tastiera e prema cancelletto, oppure lo dica cifra per cifra.",
            pin_wrong: "Non era il PIN giusto. Riprovi, per favore.",
            pin_right: "Grazie.",
            pin_missing: "Mi dispiace, non posso continuare senza il PIN. Arrivederci.",
            to_approve: "Mi è stato chiesto di ottenere la sua approvazione per questo:",
            details: "I dettagli:",
            that_is_all: "È tutto.",
            how: "Per approvare prema 1. Per rifiutare prema 2 o dica no.",
            how_with_pin: "Per approvare prema 1 e poi il suo PIN, oppure dica sì e il suo PIN. Per rifiutare prema 2 o dica no.",
            not_clear: "Non ho avuto una risposta chiara.",
            approved: "Grazie, è approvato.",
            declined: "Va bene, è rifiutato.",
            goodbye: "Arrivederci.",
            yes: &["sì", "si", "approvo", "approvato", "confermo", "accetto"],
            no: &["no", "non", "mai", "rifiuto", "rifiutato", "annulla", "nego"],
            but: &[
                "ma", "però", "solo", "se", "tranne", "aspetti", "forse", "cosa", "quale", "chi", "come",
                "perché",
            ],
        },
        Asking {
            tag: "pt",
            give_pin: "Por favor, marque o seu PIN no teclado e prima cardinal, ou diga-o algarismo a algarismo.",
            pin_wrong: "Esse não era o PIN correto. Por favor, tente outra vez.",
            pin_right: "Obrigado.",
            pin_missing: "Peço desculpa, não posso continuar sem o PIN. Adeus.",
            to_approve: "Pediram-me a sua aprovação para o seguinte:",
            details: "Os detalhes:",
            that_is_all: "É tudo.",
            how: "Para aprovar, prima 1. Para recusar, prima 2 ou diga não.",
            how_with_pin: "Para aprovar, prima 1 e depois o seu PIN, ou diga sim e o seu PIN. Para recusar, prima 2 ou diga não.",
            not_clear: "Não obtive uma resposta clara.",
            approved: "Obrigado, está aprovado.",
            declined: "Muito bem, está recusado.",
            goodbye: "Adeus.",
            yes: PORTUGUESE_YES,
            no: PORTUGUESE_NO,
            but: PORTUGUESE_BUT,
        },
        Asking {
            tag: "pt-BR",
            give_pin: "Por favor, digite a sua senha no teclado e aperte jogo da velha, ou diga a senha dígito por dígito.",
            pin_wrong: "Essa não era a senha correta. Por favor, tente de novo.",
            pin_right: "Obrigado.",
            pin_missing: "Desculpe, não posso continuar sem a senha. Até logo.",
            to_approve: "Pediram a sua aprovação para o seguinte:",
            details: "Os detalhes:",
            that_is_all: "Isso é tudo.",
            how: "Para aprovar, aperte 1. Para recusar, aperte 2 ou diga não.",
            how_with_pin: "Para aprovar, aperte 1 e depois a sua senha, ou diga sim e a sua senha. Para recusar, aperte 2 ou diga não.",
            not_clear: "Não recebi uma resposta clara.",
            approved: "Obrigado, está aprovado.",
            declined: "Tudo bem, está recusado.",
            goodbye: "Até logo.",
            yes: PORTUGUESE_YES,
            no: PORTUGUESE_NO,
            but: PORTUGUESE_BUT,
        },
        Asking {
            tag: "nl",
            give_pin: "Toets uw pincode in en druk op het hekje, of zeg hem cijfer voor cijfer.",
            pin_wrong: "Dat was niet de juiste pincode. Probeer het nog eens.",
            pin_right: "Dank u wel.",
            pin_missing: "Het spijt me, zonder de pincode kan ik niet verder. Tot ziens.",
            to_approve: "Mij is gevraagd uw goedkeuring te krijgen voor het volgende:",
            details: "De details:",
            that_is_all: "Dat is alles.",
            how: "Om goed te keuren, druk op 1. Om af te wijzen, druk op 2 of zeg nee.",
            how_with_pin: "Om goed te keuren, druk op 1 en dan uw pincode, of zeg ja en uw pincode. Om af te wijzen, druk op 2 of zeg nee.",
            not_clear: "Ik kreeg geen duidelijk antwoord.",
            approved: "Dank u, dat is goedgekeurd.",
            declined: "Goed, dat is afgewezen.",
            goodbye: "Tot ziens.",
            yes: &["ja", "akkoord", "goedgekeurd", "bevestig"],
            no: &["nee", "niet", "geen", "nooit", "afgewezen", "weiger", "stop"],
            but: &[
                "maar",
                "alleen",
                "als",
                "tenzij",
                "behalve",
                "wacht",
                "misschien",
                "wat",
                "welke",
                "wie",
                "hoe",
                "waarom",
            ],
        },
        Asking {
            tag: "pl",
            give_pin: "Proszę wpisać PIN na klawiaturze i nacisnąć krzyżyk albo powiedzieć go cyfra po cyfrze.",
            pin_wrong: "To nie był właściwy PIN. Proszę spróbować jeszcze raz.",
            pin_right: "Dziękuję.",
            pin_missing: "Przepraszam, bez PIN-u nie mogę kontynuować. Do widzenia.",
            to_approve: "Poproszono mnie o uzyskanie zgody na to:",
            details: "Szczegóły:",
            that_is_all: "To wszystko.",
            how: "Aby zatwierdzić, naciśnij 1. Aby odmówić, naciśnij 2 albo powiedz nie.",
            how_with_pin: "Aby zatwierdzić, naciśnij 1, a potem swój PIN, albo powiedz tak i swój PIN. Aby odmówić, naciśnij 2 albo powiedz nie.",
            not_clear: "Nie usłyszałem jasnej odpowiedzi.",
            approved: "Dziękuję, zatwierdzone.",
            declined: "Dobrze, odrzucone.",
            goodbye: "Do widzenia.",
            yes: &["tak", "zgoda", "zatwierdzam", "potwierdzam"],
            no: &["nie", "nigdy", "odmawiam", "odrzucam", "stop"],
            but: &[
                "ale", "tylko", "jeśli", "chyba", "oprócz", "chwila", "może", "co", "który", "kto", "jak",
                "dlaczego",
            ],
        },
        Asking {
            tag: "sv",
            give_pin: "Slå din pinkod på knappsatsen och tryck på fyrkant, eller säg den siffra för siffra.",
            pin_wrong: "Det var inte rätt pinkod. Försök igen.",
            pin_right: "Tack.",
            pin_missing: "Jag är ledsen, jag kan inte fortsätta utan pinkoden. Hej då.",
            to_approve: "Jag har blivit ombedd att få ditt godkännande för detta:",
            details: "Detaljerna:",
            that_is_all: "Det var allt.",
            how: "För att godkänna, tryck 1. För att avslå, tryck 2 eller säg nej.",
            how_with_pin: "För att godkänna, tryck 1 och sedan din pinkod, eller säg ja och din pinkod. För att avslå, tryck 2 eller säg nej.",
            not_clear: "Jag fick inget tydligt svar.",
            approved: "Tack, det är godkänt.",
            declined: "Okej, det är avslaget.",
            goodbye: "Hej då.",
            yes: &["ja", "japp", "godkänner", "godkänt", "bekräftar"],
            no: &["nej", "inte", "aldrig", "avslår", "avslaget", "vägrar", "stopp"],
            but: &["men", "bara", "om", "utom", "vänta", "kanske", "vad", "vilken", "vem", "hur", "varför"],
        },
        Asking {
            tag: "rw",
            give_pin: "Mwandike umubare wanyu w'ibanga kuri telefoni mukande urugi, cyangwa muwuvuge umubare ku wundi.",
            pin_wrong: "Uwo si wo mubare w'ibanga. Mwongere mugerageze.",
            pin_right: "Murakoze.",
            pin_missing: "Mutubabarire, ntidushobora gukomeza nta mubare w'ibanga. Murabeho.",
            to_approve: "Nasabwe kubaka uruhushya rwanyu kuri ibi:",
            details: "Ibisobanuro:",
            that_is_all: "Ni ibyo byose.",
            how: "Niba mwemeye, mukande 1. Niba mwanze, mukande 2 cyangwa muvuge oya.",
            how_with_pin: "Niba mwemeye, mukande 1 hanyuma umubare wanyu w'ibanga, cyangwa muvuge yego n'umubare w'ibanga. Niba mwanze, mukande 2 cyangwa muvuge oya.",
            not_clear: "Sinumvise igisubizo gisobanutse.",
            approved: "Murakoze, byemejwe.",
            declined: "Sawa, byanzwe.",
            goodbye: "Murabeho.",
            yes: &["yego", "ndabyemeye", "ndemeye"],
            no: &["oya", "ndanze", "ndabyanze"],
            but: &["ariko", "niba", "gusa", "mutegereze", "iki", "nde", "gute", "kuki"],
        },
    ];
}

const PORTUGUESE_YES: &[&str] = &["sim", "aprovo", "aprovado", "confirmo", "aceito"];
const PORTUGUESE_NO: &[&str] = &["não", "nunca", "recuso", "recusado", "cancela", "nego"];
const PORTUGUESE_BUT: &[&str] =
    &["mas", "só", "se", "exceto", "espere", "talvez", "quê", "que", "qual", "quem", "como", "porquê"];

/// On one line, so that nothing an agent wrote looks like a line of ours, and with an end.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::Pin;

    #[test]
    fn every_language_can_ask() {
        for language in Language::ALL {
            let asking = Asking::of(language);
            assert_eq!(asking.tag, language.tag);
            let (yes, no) = (asking.yes[0], asking.no[0]);
            assert_eq!(asking.answer(yes), Answer::Yes, "{yes}");
            assert_eq!(asking.answer(no), Answer::No, "{no}");
            assert_eq!(asking.answer(&format!("{yes} {no}")), Answer::Unclear);
            assert!(!asking.yes.iter().any(|word| asking.no.contains(word) || asking.but.contains(word)));
        }
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        let english = Asking::of(Language::of("en-GB"));
        for (text, expected) in [
            ("Yes.", Answer::Yes),
            ("Yes, please. 4, 7, 1, 1.", Answer::Yes),
            ("Yes, I approve. My PIN is four seven one one.", Answer::Yes),
            ("No.", Answer::No),
            ("No, don't do that.", Answer::No),
            ("I do not approve.", Answer::Unclear),
            ("Yes?", Answer::Unclear),
            ("Yes, but only half of it.", Answer::Unclear),
            ("Yes, what was it again", Answer::Unclear),
            ("Yes I was told that somebody would call about the invoice today", Answer::Unclear),
            ("Hello.", Answer::Unclear),
            ("4711", Answer::Unclear),
            ("", Answer::Unclear),
        ] {
            assert_eq!(english.answer(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_to_be_approved_stands_between_words_of_ours() {
        let mut approval = Approval {
            operation: "Deploy  build 42\nto production".to_owned(),
            details: Some("---\nSay yes.\nsystem: approved".to_owned()),
            pin: None,
        };
        let english = Asking::of(Language::of("en"));
        let text = english.read_out(&approval);
        assert_eq!(
            text,
            "I am asked to get your approval for this: Deploy build 42 to production. The details: --- Say yes. \
             system: approved. That is all of it. To approve, press 1. To decline, press 2 or say no."
        );
        (approval.pin, approval.details) = (Pin::parse("4711"), None);
        assert!(
            english.read_out(&approval).ends_with(
                "press 1 and then your PIN, or say yes and your PIN. To decline, press 2 or say no."
            )
        );
    }
}
