//! Which words bind somebody, and which only sound like it.

use offhook_core::commit::{Act, agrees, asked, is_taking, is_tasked, reads, spoken};

use Act::{Agreement, Booking, Cancellation, Change, Payment, Purchase};

#[track_caller]
fn check(rows: &[(&str, &str, &[Act])], find: impl Fn(&str, &str) -> Vec<Act>) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(language, text, expected)| {
            let found = find(text, language);
            (found != *expected).then(|| format!("{text}: {found:?} and not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn acts_spoken(text: &str, language: &str) -> Vec<Act> {
    spoken(text, language).into_iter().map(|found| found.act).collect()
}

fn acts_asked(text: &str, language: &str) -> Vec<Act> {
    asked(text, language).into_iter().map(|found| found.act).collect()
}

#[test]
fn what_binds_in_english() {
    let rows: &[(&str, &str, &[Act])] = &[
        ("en", "Please book it.", &[Booking]),
        ("en-US", "Yes, please book it for Tuesday at three.", &[Booking]),
        ("en", "Great, go ahead and book that, please.", &[Booking]),
        ("en", "Could you please book a table for four?", &[Booking]),
        ("en", "Can you put her down for Tuesday at 2:30?", &[Booking]),
        ("en", "You can put Jordan Lee down for three o'clock.", &[Booking]),
        ("en", "I'll book it.", &[Booking]),
        ("en", "We will reserve the room.", &[Booking]),
        ("en", "I'd like to book an appointment for Jordan Lee.", &[Booking]),
        ("en", "I would like to make a reservation for two.", &[Booking]),
        ("en", "Yes. Book the table.", &[Booking]),
        ("en", "I'd like an appointment for Jordan Lee.", &[Booking]),
        ("en", "I would like to reschedule Jordan's appointment.", &[Change]),
        ("en", "If Tuesday is free, please book it.", &[Booking]),
        ("en", "Please put Dr. Rivera's patient in, and book them in for nine.", &[Booking]),
        ("en", "We'll order two of those.", &[Purchase]),
        ("en", "I want to buy the blue one.", &[Purchase]),
        ("en", "Please sign up for the plan.", &[Purchase]),
        ("en", "I'd like you to renew the contract.", &[Purchase]),
        ("en", "Please charge the card on file.", &[Payment]),
        ("en", "Jordan agrees. I will pay the deposit.", &[Payment]),
        ("en", "You can put it on his card.", &[Payment]),
        ("en", "Please reschedule it to Thursday.", &[Change]),
        ("en", "Could you move the appointment to Thursday?", &[Change]),
        ("en", "I would like to cancel the subscription.", &[Cancellation]),
        ("en", "Please cancel my order.", &[Cancellation]),
        ("en", "Please close the account.", &[Cancellation]),
        ("en", "We accept the offer.", &[Agreement]),
        ("en", "I'll take it.", &[Agreement]),
        ("en", "We'll take the three o'clock slot.", &[Agreement]),
        ("en", "If that's all right, I'll take that one.", &[Agreement]),
        ("en", "Agreed.", &[Agreement]),
        ("en", "It's a deal!", &[Agreement]),
        ("en", "Let's do Tuesday.", &[Agreement]),
        ("en", "Let’s go ahead with that.", &[Agreement]),
        ("en", "I agree to the terms.", &[Agreement]),
        ("en", "You have our word.", &[Agreement]),
        ("en", "Please book it and charge the card.", &[Booking, Payment]),
    ];
    check(rows, acts_spoken);
}

#[test]
fn what_does_not_bind_in_english() {
    let rows = [
        "Do you have a table for four at seven?",
        "What would it cost to book it?",
        "Can you book tables online?",
        "Could you tell me whether I could book it for Tuesday?",
        "Is it possible to cancel it later?",
        "Can you book a table without a deposit?",
        "Please don't book it.",
        "Please do not book anything yet.",
        "I can't book it today.",
        "I won't pay the deposit.",
        "I will not accept that.",
        "We never agreed to that.",
        "I'm not going to cancel it.",
        "I will book it if Jordan agrees.",
        "Once Jordan has decided, we will book it.",
        "We'll take it unless the price has changed.",
        "Jordan will decide and call you back.",
        "I'd like to book, but I have to check with Jordan first.",
        "I would like to book a table, but I am only asking today.",
        "I will let Jordan know, and she will book it herself.",
        "Shall I book it?",
        "Should we accept the offer?",
        "Is that a deal?",
        "I'll call back to book it.",
        "I'll take a message.",
        "I'll take that back to Jordan.",
        "I'll take it up with her.",
        "I will go ahead and ask her.",
        "I agree that it is a lot of money.",
        "I agree with you.",
        "Order number 55 is the one I am calling about.",
        "We have booked a table for tonight under Lee; does it still stand?",
        "The appointment was booked for Tuesday.",
        "Please confirm the price.",
        "I want to confirm the appointment on Tuesday.",
        "I'd like to know whether you could book that.",
        "Please let me know if you can book it.",
        "You can book it online, I understand.",
        "Okay, so you can book it for Tuesday, is that right?",
        "I'll write that down and put it in my notes.",
        "Take your time.",
        "Would you charge the card on file?",
        "Could you hold it for an hour without any commitment?",
        "I am calling on behalf of Jordan Lee about a booking.",
        "How would I pay?",
        "Who can cancel it?",
        "",
        "...",
        "Thank you, goodbye.",
    ];
    check(&rows.map(|text| ("en", text, &[] as &[Act])), acts_spoken);
}

#[test]
fn what_binds_in_other_languages() {
    let rows: &[(&str, &str, &[Act])] = &[
        ("de-DE", "Bitte buchen Sie den Termin am Dienstag.", &[Booking]),
        ("de", "Ja, ich nehme den Termin.", &[Agreement]),
        ("de", "Können Sie das bitte reservieren?", &[Booking]),
        ("de", "Ich möchte den Vertrag kündigen.", &[Cancellation]),
        ("de", "Ich bin damit einverstanden.", &[Agreement]),
        ("de", "Wir werden die Anzahlung überweisen.", &[Payment]),
        ("de", "Bitte buchen Sie noch nichts.", &[]),
        ("de", "Das buche ich nicht.", &[]),
        ("de", "Wenn Frau Lee zustimmt, buchen wir den Tisch.", &[]),
        ("de", "Frau Lee entscheidet das und ruft Sie zurück.", &[]),
        ("de", "Was kostet es, das zu stornieren?", &[]),
        ("nl", "Kunt u dat voor mij reserveren?", &[Booking]),
        ("nl", "Ik ga akkoord.", &[Agreement]),
        ("nl", "Ik wil het abonnement opzeggen.", &[Cancellation]),
        ("nl", "Ik wil nog niet boeken.", &[]),
        ("nl", "Ik bel later terug.", &[]),
        ("fr-FR", "Je voudrais réserver une table.", &[Booking]),
        ("fr", "Oui, réservez-le, s'il vous plaît.", &[Booking]),
        ("fr", "J'accepte votre offre.", &[Agreement]),
        ("fr", "Pouvez-vous annuler la commande ?", &[Cancellation]),
        ("fr", "Ne réservez pas encore.", &[]),
        ("fr", "Si Madame Lee est d'accord, nous réservons.", &[]),
        ("fr", "Nous allons rappeler.", &[]),
        ("es-MX", "Quiero reservar una mesa.", &[Booking]),
        ("es", "Sí, resérvelo, por favor.", &[Booking]),
        ("es", "Aceptamos la oferta.", &[Agreement]),
        ("es", "¿Puede cancelar el pedido?", &[Cancellation]),
        ("es", "No quiero reservar todavía.", &[]),
        ("es", "Volveré a llamar mañana.", &[]),
        ("it", "Vorrei prenotare un tavolo.", &[Booking]),
        ("it", "Accettiamo l'offerta.", &[Agreement]),
        ("it", "Non vorrei prenotare adesso.", &[]),
        ("it", "Richiamerò domani.", &[]),
        ("pt-BR", "Quero reservar uma mesa.", &[Booking]),
        ("pt", "Sim, pode marcar a consulta.", &[Booking]),
        ("pt", "Aceito a proposta.", &[Agreement]),
        ("pt", "Não quero marcar ainda.", &[]),
        ("pt", "Ligo de volta amanhã.", &[]),
        // Nothing is made up about a language without a table.
        ("ja-JP", "Please book it.", &[]),
        ("", "Please book it.", &[]),
    ];
    check(rows, acts_spoken);
    assert!(reads("pt-BR") && reads("DE") && reads("en_GB"));
    assert!(!reads("sv-SE") && !reads(""));
}

#[test]
fn what_asks_for_a_commitment() {
    let rows: &[(&str, &str, &[Act])] = &[
        ("en", "Shall I book it and charge the card on file?", &[Booking, Payment]),
        ("en", "shall i book it", &[Booking]),
        ("en", "Would you like me to book that for you?", &[Booking]),
        ("en", "Do you want us to go ahead with it?", &[Agreement]),
        ("en", "Can I put you down for Tuesday at two?", &[Booking]),
        ("en", "Should I cancel the old one?", &[Cancellation]),
        ("en", "Would you like to order it now?", &[Purchase]),
        ("en", "Do you accept the terms?", &[Agreement]),
        ("en", "Will you take it?", &[Agreement]),
        ("en", "I need a credit card to hold the table.", &[Payment]),
        ("en", "How would you like to pay?", &[Payment]),
        ("en", "Shall we move it to Thursday then?", &[Change]),
        ("de", "Soll ich den Termin buchen?", &[Booking]),
        ("de", "Sind Sie damit einverstanden?", &[Agreement]),
        ("fr", "Voulez-vous réserver ?", &[Booking]),
        ("es", "¿Quiere que se lo reserve?", &[Booking]),
        ("it", "Vuole prenotare?", &[Booking]),
        ("pt", "Quer que eu marque?", &[Booking]),
        ("nl", "Gaat u akkoord?", &[Agreement]),
        ("en", "We have a table at seven.", &[]),
        ("en", "Can you confirm your date of birth?", &[]),
        ("en", "Could I take your name, please?", &[]),
        ("en", "If you would like to book an appointment, press two.", &[]),
        ("en", "Who is calling, please?", &[]),
        ("en", "You need to book in advance.", &[]),
        ("en", "I can't book it for you.", &[]),
        ("en", "May I have your phone number?", &[]),
    ];
    check(rows, acts_asked);
}

#[test]
fn a_yes_to_what_was_asked() {
    for (language, text, expected) in [
        ("en", "Yes, please.", true),
        ("en", "Sure, go ahead.", true),
        ("en", "Okay, thank you.", true),
        ("en", "That would be fine.", false),
        ("en", "That's fine, thank you.", true),
        ("en", "Please do.", true),
        ("en", "Yes, I understand, but I can't agree to that.", false),
        ("en", "Okay, I will let Jordan know and call you back.", false),
        ("en", "Great. Let me check with Jordan first.", false),
        ("en", "Okay, I will pass that on.", false),
        ("en", "Yes, that is good to know; I only wanted to ask.", false),
        ("en", "Perhaps another time. Thank you.", false),
        ("de", "Gut, ich gebe das weiter.", false),
        ("fr", "Très bien, je transmets.", false),
        ("es", "Vale, lo voy a comunicar.", false),
        ("it", "Va bene, riferirò.", false),
        ("pt", "Certo, transmito.", false),
        ("nl", "Goed, ik geef het door.", false),
        ("en", "No, thank you.", false),
        ("en", "Jordan will decide.", false),
        ("de", "Ja, gerne.", true),
        ("de", "Ja, aber das kann ich nicht entscheiden.", false),
        ("fr", "Oui, volontiers.", true),
        ("es", "Sí, adelante.", true),
        ("it", "Va bene.", true),
        ("pt", "Sim, pode.", true),
        ("nl", "Doe maar.", true),
        ("nl", "Nee, nog niet.", false),
        ("ja", "Yes.", false),
    ] {
        assert_eq!(agrees(text, language), expected, "{text}");
    }
}

fn leave_in(task: &str) -> Vec<Act> {
    Act::ALL.iter().copied().filter(|act| is_tasked(task, *act)).collect()
}

#[track_caller]
fn check_leave(rows: &[(&str, &[Act])]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(task, expected)| leave_in(task) != *expected)
        .map(|(task, expected)| format!("{task}: {:?} and not {expected:?}", leave_in(task)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_a_task_orders_has_leave() {
    check_leave(&[
        ("Book a table for two at seven.", &[Booking]),
        ("Book a table for four on Friday at seven, for Mira Okafor.", &[Booking]),
        ("Please book a table for two.", &[Booking]),
        ("Get an appointment for Jordan Lee.", &[Booking]),
        ("Make a dental appointment for Jordan Lee.", &[Booking]),
        ("Call Luigi's to book a table for two at seven.", &[Booking]),
        ("Call Dr. Rivera's office on behalf of Jordan Lee to schedule an appointment.", &[Booking]),
        ("Jordan Lee would like to reserve a room.", &[Booking]),
        ("I want you to book the early slot.", &[Booking]),
        ("Ask them to cancel the order.", &[Cancellation]),
        ("Ask for openings after two and book the first one.", &[Booking]),
        ("Find out what it costs, then book it.", &[Booking]),
        ("Ask whether seven is free, and book it.", &[Booking]),
        ("Ask whether they can seat two at seven and, if so, book it.", &[Booking]),
        ("If they have a table at seven, book it.", &[Booking]),
        ("Don't pay a deposit; book the room under Lee.", &[Booking]),
        ("Book a table, but do not pay a deposit.", &[Booking]),
        ("Book a table without paying a deposit.", &[Booking]),
        ("Goal: cancel the membership.", &[Cancellation]),
        ("Cancel the subscription of Jordan Lee.", &[Cancellation]),
        ("Reschedule the cleaning to Thursday.", &[Change]),
        ("Move the appointment to Thursday.", &[Change]),
        ("You may order two of the blue ones, and pay up to 40 dollars.", &[Purchase, Payment]),
        ("You can pay by card.", &[Payment]),
        ("Order a large pizza.", &[Purchase]),
        ("Take the first slot they offer.", &[Agreement]),
        ("Accept any price below 50 dollars.", &[Agreement]),
        ("Reserviere einen Tisch für vier.", &[Booking]),
        ("Ich möchte den Vertrag kündigen.", &[Cancellation]),
        ("Réservez une table pour deux.", &[Booking]),
        ("Reserva una mesa para dos.", &[Booking]),
        ("Prenota un tavolo per due.", &[Booking]),
        ("Reserve uma mesa para dois.", &[Booking]),
        ("Reserveer een tafel voor twee.", &[Booking]),
    ]);
}

#[test]
fn what_a_task_only_speaks_of_has_none() {
    let tasks = [
        "Ask when they open on Sunday, for Mira Okafor.",
        "Ask for openings. Do not book anything.",
        "Ring Harbour Cycles for Mira Okafor. Ask if the rear wheel for work order HC-3381 is trued.",
        "Order HC-3381 is the one this is about.",
        "Order 55019: ask where it is.",
        "Ask how long the repair will take.",
        "Ask what it costs to cancel the membership.",
        "Find out the fee to cancel.",
        "Find out whether one can book a table online.",
        "Ask whether they can book, and pay nothing.",
        "Ask whether I can book and pay online.",
        "Ask how to cancel, change or move it to Friday.",
        "Ask whether they can hold it, book it online, and cancel it later.",
        "Ask whether the appointment can be moved to Friday; I will decide.",
        "Can I book a table for two at seven?",
        "Ask about my booking.",
        "Ask how one can pay.",
        "Take down their opening hours.",
        "Take a message.",
        "Agree to nothing.",
        "Do not agree to anything and book nothing.",
        "Do not book, reserve, order or pay anything.",
        "Ask for the price. Under no circumstances pay a deposit.",
        "This is an enquiry only: book, buy, cancel, change and agree to nothing, and say that you will call back.",
        "The call is not needed any more: thank them, say that no further help is needed, agree to nothing, say goodbye and end the call now.",
        "The clinic wants to cancel the appointment; find out why.",
        "Only ask. Never buy or order anything.",
        "Find out the price. No booking.",
        "They need a deposit to book; ask how much.",
        "If they want you to pay a deposit, say that you will call back.",
        "Pay no deposit.",
        "Ask before you book.",
        "Frag, ob man dort reservieren kann.",
        "Frag, was es kostet, den Vertrag zu kündigen.",
        "Demande s'il faut réserver.",
        "Pregunta si se puede reservar en línea.",
        "No reserves nada.",
    ];
    check_leave(&tasks.map(|task| (task, &[] as &[Act])));
    // What is forbidden takes nothing from what is ordered, and the other way round.
    check_leave(&[(
        "Ask what it costs to cancel the membership. Under no circumstances pay a deposit. Book the trial lesson.",
        &[Booking],
    )]);
}

#[test]
fn to_take_what_was_offered_is_not_to_agree_to_anything() {
    for (language, text, expected) in [
        ("en", "I'll take it.", true),
        ("en", "We'll take the three o'clock slot.", true),
        ("en", "Let's do Tuesday.", true),
        ("en", "I agree to the terms.", false),
        ("en", "We accept the offer.", false),
        ("en", "You have our word.", false),
        ("de", "Ja, ich nehme den Termin.", true),
        ("de", "Ich bin damit einverstanden.", false),
        ("ja", "I'll take it.", false),
    ] {
        assert_eq!(is_taking(text, language), expected, "{text}");
    }
}

#[test]
fn a_commitment_is_shown_with_its_sentence() {
    let said = "Thank you. Tuesday at 3.30 p.m. is good, so please book it. Goodbye.";
    let found = spoken(said, "en");
    assert_eq!(found.len(), 1);
    assert!(found[0].sentence.ends_with("so please book it."), "{found:?}");
    // The same again is not another one.
    assert_eq!(spoken("Please book it. Yes, please book it.", "en").len(), 1);
}

#[test]
fn no_text_is_too_strange() {
    for text in [
        "?!;\n,",
        "''’’",
        "……",
        "please",
        "please please please",
        "i will",
        "could you",
        "日本語。",
        "n't",
        "'ll",
    ] {
        assert!(spoken(text, "en").is_empty(), "{text}");
        let _ = (asked(text, "de"), agrees(text, "fr"));
    }
}
