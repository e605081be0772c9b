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
            apology: "Mutubabarire, habaye ikibazo cya tekiniki, tugomba guhagarika iki kiganiro. Murabeho.",
        },
    ];
}
