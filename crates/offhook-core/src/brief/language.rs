//! What offhook itself says on a call, in the languages it knows.

/// One language, and every fixed sentence in it. The model finds its own words for everything else.
#[derive(Debug)]
pub struct Language {
    /// The BCP 47 tag, or the beginning of those it stands for.
    pub tag: &'static str,
    /// What English calls it.
    pub name: &'static str,
    pub(super) assistant_and_recorded: &'static str,
    pub(super) assistant: &'static str,
    pub(super) recorded: &'static str,
    /// To somebody who has not said a word for a while.
    pub anybody_there: &'static str,
    /// To somebody who waits while the owner is asked.
    pub one_moment: &'static str,
    /// To somebody who is about to be connected with the user.
    pub connecting: &'static str,
    /// To somebody who wanted the user, who does not come.
    pub user_absent: &'static str,
    /// To the user, before and after the reason for being called.
    pub(super) user_wanted: &'static str,
    pub(super) join_or_not: &'static str,
    /// To a caller who sells, begs or plays a tape, before the line is closed.
    pub not_interested: &'static str,
    /// When the voice is lost, and the call with it.
    pub apology: &'static str,
}

impl Language {
    /// The language of the longest tag in the table that `tag` begins with; `None` where there is none.
    pub fn find(tag: &str) -> Option<&'static Language> {
        let begins = |prefix: &str| {
            let head = tag.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
            head && matches!(tag.as_bytes().get(prefix.len()), None | Some(b'-' | b'_'))
        };
        Self::ALL.iter().filter(|language| begins(language.tag)).max_by_key(|language| language.tag.len())
    }

    /// The language for `tag`; English where the table has none.
    pub fn of(tag: &str) -> &'static Language {
        Self::find(tag).unwrap_or(&Self::ALL[0])
    }

    /// What the user hears in private: that somebody is on the line, why, and how to join.
    pub fn introduction(&self, reason: Option<&str>) -> String {
        /// A reason is a sentence; whoever waits should not wait for a speech.
        const LONGEST: usize = 200;
        let reason: String = reason.unwrap_or_default().trim().chars().take(LONGEST).collect();
        let parts = [self.user_wanted, &reason, self.join_or_not];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// English first: it stands in for what is missing.
    pub const ALL: &[Language] = &[
        Language {
            tag: "en",
            name: "English",
            assistant_and_recorded: "Hello, this is an AI assistant, and this call is recorded.",
            assistant: "Hello, this is an AI assistant.",
            recorded: "Hello, this call is recorded.",
            anybody_there: "Hello, is anybody there?",
            one_moment: "One more moment, please.",
            connecting: "One moment please, I am connecting you.",
            user_absent: "I am sorry, they cannot join us right now. What would be the next step without them?",
            user_wanted: "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you.",
            join_or_not: "To join the call, press 1 or say yes. If you cannot join now, press 2 or say no.",
            not_interested: "Thank you, but there is no interest. Please do not call this number again. Goodbye.",
            apology: "I am sorry, I have a technical problem and must hang up. Goodbye.",
        },
        Language {
            tag: "de",
            name: "German",
            assistant_and_recorded: "Guten Tag, hier spricht ein KI-Assistent, und dieses Gespräch wird aufgezeichnet.",
            assistant: "Guten Tag, hier spricht ein KI-Assistent.",
            recorded: "Guten Tag, dieses Gespräch wird aufgezeichnet.",
            anybody_there: "Hallo, ist da jemand?",
            one_moment: "Einen Moment noch, bitte.",
            connecting: "Einen Moment bitte, ich verbinde Sie.",
            user_absent: "Es tut mir leid, die Person kann gerade nicht dazukommen. Was wäre der nächste Schritt ohne sie?",
            user_wanted: "Guten Tag, hier ist Ihr KI-Assistent. Ich habe jemanden in der Leitung, der mit Ihnen sprechen möchte.",
            join_or_not: "Um dazuzukommen, drücken Sie die 1 oder sagen Sie ja. Wenn es jetzt nicht passt, drücken Sie die 2 oder sagen Sie nein.",
            not_interested: "Vielen Dank, aber es besteht kein Interesse. Bitte rufen Sie diese Nummer nicht mehr an. Auf Wiederhören.",
            apology: "Entschuldigung, ich habe ein technisches Problem und muss auflegen. Auf Wiederhören.",
        },
        Language {
            tag: "fr",
            name: "French",
            assistant_and_recorded: "Bonjour, je suis un assistant d'intelligence artificielle, et cet appel est enregistré.",
            assistant: "Bonjour, je suis un assistant d'intelligence artificielle.",
            recorded: "Bonjour, cet appel est enregistré.",
            anybody_there: "Allô, il y a quelqu'un ?",
            one_moment: "Encore un instant, je vous prie.",
            connecting: "Un instant, je vous prie, je vous mets en relation.",
            user_absent: "Je suis désolé, la personne ne peut pas nous rejoindre maintenant. Quelle serait la prochaine étape sans elle ?",
            user_wanted: "Bonjour, ici votre assistant d'intelligence artificielle. J'ai quelqu'un en ligne qui voudrait vous parler.",
            join_or_not: "Pour rejoindre l'appel, appuyez sur 1 ou dites oui. Sinon, appuyez sur 2 ou dites non.",
            not_interested: "Merci, mais cela ne nous intéresse pas. Veuillez ne plus appeler ce numéro. Au revoir.",
            apology: "Je suis désolé, j'ai un problème technique et je dois raccrocher. Au revoir.",
        },
        Language {
            tag: "es",
            name: "Spanish",
            assistant_and_recorded: "Hola, soy un asistente de inteligencia artificial y esta llamada se está grabando.",
            assistant: "Hola, soy un asistente de inteligencia artificial.",
            recorded: "Hola, esta llamada se está grabando.",
            anybody_there: "Hola, ¿hay alguien ahí?",
            one_moment: "Un momento más, por favor.",
            connecting: "Un momento, por favor, le pongo en contacto.",
            user_absent: "Lo siento, la persona no puede unirse ahora. ¿Cuál sería el siguiente paso sin ella?",
            user_wanted: "Hola, soy su asistente de inteligencia artificial. Tengo a alguien en la línea que quiere hablar con usted.",
            join_or_not: "Para unirse a la llamada, pulse 1 o diga sí. Si ahora no puede, pulse 2 o diga no.",
            not_interested: "Gracias, pero no estamos interesados. Por favor, no vuelva a llamar a este número. Adiós.",
            apology: "Lo siento, tengo un problema técnico y debo colgar. Adiós.",
        },
        Language {
            tag: "it",
            name: "Italian",
            assistant_and_recorded: "Buongiorno, sono un assistente di intelligenza artificiale e questa chiamata viene registrata.",
            assistant: "Buongiorno, sono un assistente di intelligenza artificiale.",
            recorded: "Buongiorno, questa chiamata viene registrata.",
            anybody_there: "Pronto, c'è qualcuno?",
            one_moment: "Ancora un momento, per favore.",
            connecting: "Un momento, per favore, la metto in contatto.",
            user_absent: "Mi dispiace, la persona non può unirsi adesso. Quale sarebbe il prossimo passo senza di lei?",
            user_wanted: "Buongiorno, sono il suo assistente di intelligenza artificiale. Ho in linea qualcuno che vorrebbe parlare con lei.",
            join_or_not: "Per unirsi alla chiamata prema 1 o dica sì. Se adesso non può, prema 2 o dica no.",
            not_interested: "Grazie, ma non siamo interessati. La preghiamo di non chiamare più questo numero. Arrivederci.",
            apology: "Mi dispiace, ho un problema tecnico e devo riagganciare. Arrivederci.",
        },
        Language {
            tag: "pt",
            name: "Portuguese",
            assistant_and_recorded: "Olá, sou um assistente de inteligência artificial e esta chamada está a ser gravada.",
            assistant: "Olá, sou um assistente de inteligência artificial.",
            recorded: "Olá, esta chamada está a ser gravada.",
            anybody_there: "Olá, está aí alguém?",
            one_moment: "Só mais um momento, por favor.",
            connecting: "Um momento, por favor, vou fazer a ligação.",
            user_absent: "Peço desculpa, a pessoa não pode juntar-se a nós agora. Qual seria o próximo passo sem ela?",
            user_wanted: "Olá, sou o seu assistente de inteligência artificial. Tenho em linha alguém que gostaria de falar consigo.",
            join_or_not: "Para entrar na chamada, prima 1 ou diga sim. Se agora não puder, prima 2 ou diga não.",
            not_interested: "Obrigado, mas não estamos interessados. Por favor, não volte a ligar para este número. Adeus.",
            apology: "Peço desculpa, tenho um problema técnico e tenho de desligar. Adeus.",
        },
        Language {
            tag: "pt-BR",
            name: "Brazilian Portuguese",
            assistant_and_recorded: "Olá, eu sou um assistente de inteligência artificial, e esta ligação está sendo gravada.",
            assistant: "Olá, eu sou um assistente de inteligência artificial.",
            recorded: "Olá, esta ligação está sendo gravada.",
            anybody_there: "Alô, tem alguém aí?",
            one_moment: "Só mais um momento, por favor.",
            connecting: "Um momento, por favor, vou conectar vocês.",
            user_absent: "Desculpe, a pessoa não pode entrar na ligação agora. Qual seria o próximo passo sem ela?",
            user_wanted: "Olá, aqui é o seu assistente de inteligência artificial. Tenho alguém na linha que gostaria de falar com você.",
            join_or_not: "Para entrar na ligação, aperte 1 ou diga sim. Se agora não puder, aperte 2 ou diga não.",
            not_interested: "Obrigado, mas não temos interesse. Por favor, não ligue mais para este número. Até logo.",
            apology: "Desculpe, estou com um problema técnico e preciso desligar. Até logo.",
        },
        Language {
            tag: "nl",
            name: "Dutch",
            assistant_and_recorded: "Goedendag, u spreekt met een AI-assistent en dit gesprek wordt opgenomen.",
            assistant: "Goedendag, u spreekt met een AI-assistent.",
            recorded: "Goedendag, dit gesprek wordt opgenomen.",
            anybody_there: "Hallo, is daar iemand?",
            one_moment: "Nog een ogenblik, alstublieft.",
            connecting: "Een ogenblik alstublieft, ik verbind u door.",
            user_absent: "Het spijt me, de persoon kan er nu niet bij komen. Wat zou de volgende stap zonder hen zijn?",
            user_wanted: "Goedendag, dit is uw AI-assistent. Ik heb iemand aan de lijn die u graag wil spreken.",
            join_or_not: "Om mee te doen, druk op 1 of zeg ja. Als het nu niet uitkomt, druk op 2 of zeg nee.",
            not_interested: "Dank u, maar er is geen belangstelling. Belt u dit nummer alstublieft niet meer. Tot ziens.",
            apology: "Het spijt me, ik heb een technisch probleem en moet ophangen. Tot ziens.",
        },
        Language {
            tag: "pl",
            name: "Polish",
            assistant_and_recorded: "Dzień dobry, tu asystent oparty na sztucznej inteligencji, a ta rozmowa jest nagrywana.",
            assistant: "Dzień dobry, tu asystent oparty na sztucznej inteligencji.",
            recorded: "Dzień dobry, ta rozmowa jest nagrywana.",
            anybody_there: "Halo, czy ktoś tam jest?",
            one_moment: "Jeszcze chwilę, proszę.",
            connecting: "Proszę chwilę zaczekać, już łączę.",
            user_absent: "Przepraszam, ta osoba nie może teraz dołączyć. Jaki byłby następny krok bez niej?",
            user_wanted: "Dzień dobry, tu Twój asystent oparty na sztucznej inteligencji. Mam na linii kogoś, kto chce z Tobą porozmawiać.",
            join_or_not: "Aby dołączyć do rozmowy, naciśnij 1 albo powiedz tak. Jeśli teraz nie możesz, naciśnij 2 albo powiedz nie.",
            not_interested: "Dziękuję, ale nie jesteśmy zainteresowani. Proszę więcej nie dzwonić na ten numer. Do widzenia.",
            apology: "Przepraszam, mam problem techniczny i muszę się rozłączyć. Do widzenia.",
        },
        Language {
            tag: "sv",
            name: "Swedish",
            assistant_and_recorded: "Hej, det här är en AI-assistent, och samtalet spelas in.",
            assistant: "Hej, det här är en AI-assistent.",
            recorded: "Hej, det här samtalet spelas in.",
            anybody_there: "Hallå, är det någon där?",
            one_moment: "Ett ögonblick till, tack.",
            connecting: "Ett ögonblick, jag kopplar er.",
            user_absent: "Jag är ledsen, personen kan inte vara med just nu. Vad vore nästa steg utan dem?",
            user_wanted: "Hej, det här är din AI-assistent. Jag har någon på linjen som vill tala med dig.",
            join_or_not: "För att vara med, tryck 1 eller säg ja. Om det inte passar nu, tryck 2 eller säg nej.",
            not_interested: "Tack, men det finns inget intresse. Ring inte det här numret igen. Hej då.",
            apology: "Jag är ledsen, jag har ett tekniskt problem och måste lägga på. Hej då.",
        },
        Language {
            tag: "rw",
            name: "Kinyarwanda",
            assistant_and_recorded: "Muraho, ndi umufasha ukoresha ubwenge buhangano, kandi iki kiganiro kirafatwa amajwi.",
            assistant: "Muraho, ndi umufasha ukoresha ubwenge buhangano.",
            recorded: "Muraho, iki kiganiro kirafatwa amajwi.",
            anybody_there: "Muraho, mwaba munyumva?",
            one_moment: "Mwihangane akanya gato.",
            connecting: "Mwihangane akanya gato, ndabahuza.",
            user_absent: "Mutubabarire, ntashobora kuza ubu. Twakomeza dute adahari?",
            user_wanted: "Muraho, ndi umufasha wanyu ukoresha ubwenge buhangano. Hari umuntu kuri telefoni ushaka kuvugana namwe.",
            join_or_not: "Niba mushaka kwinjira mu kiganiro, mukande 1 cyangwa muvuge yego. Niba bidashoboka ubu, mukande 2 cyangwa muvuge oya.",
            not_interested: "Murakoze, ariko ntabwo tubikeneye. Mwirinde kongera guhamagara iyi nomero. Murabeho.",
            apology: "Mutubabarire, habaye ikibazo cya tekiniki, tugomba guhagarika iki kiganiro. Murabeho.",
        },
    ];
}
