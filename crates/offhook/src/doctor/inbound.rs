//! What the doctor says of calls to the operator's lines: who may call, and what they are trusted with.

use offhook_core::policy::{Access, Outside, Trust};

use super::Finding;
use crate::config::Config;
use crate::gateway::{AgentsFor, Reception};

/// For every line that is answered, where any is.
pub(super) fn lines(config: &Config) -> Vec<Finding> {
    let inbound = &config.inbound;
    let all = std::iter::once(("other lines".to_owned(), &inbound.usual));
    let own = inbound.lines.iter().map(|(number, reception)| (format!("{number:?}"), reception));
    let answered: Vec<_> = own.chain(all).filter(|(_, reception)| reception.purpose.is_some()).collect();
    let alone = inbound.lines.is_empty();
    let finding = |(line, reception): (String, &Reception)| {
        let finding = Finding::new("inbound").well(reception.rules.access.code(), told(config, reception));
        if alone { finding } else { finding.of(&line) }
    };
    answered.into_iter().map(finding).collect()
}

fn told(config: &Config, reception: &Reception) -> String {
    let rules = &reception.rules;
    let who = match rules.access {
        Access::Closed => return "nobody is answered".to_owned(),
        Access::Listed => "those on the list are answered",
        Access::Open => "anybody is answered, as a stranger",
        Access::Pin => "whoever gives the PIN is answered",
    };
    let mut told = vec![who.to_owned()];
    match rules.listed.iter().filter(|listed| listed.trusted).count() {
        0 => {}
        some if rules.trust == Trust::Number => {
            told.push(format!("{some} trusted by number alone, which can be forged"));
        }
        some => told.push(format!("{some} trusted with the PIN")),
    }
    let agents = match &reception.agents {
        AgentsFor::Nobody => 0,
        AgentsFor::All => config.agents.agents.len(),
        AgentsFor::Named(names) => names.len(),
    };
    if agents > 0 {
        told.push(format!("agents for those who are trusted: {agents}"));
    }
    match (&rules.hours, rules.outside) {
        (None, _) => {}
        (Some(_), Outside::Decline) => told.push("declined outside of the hours".to_owned()),
        (Some(_), Outside::Messages) => told.push("a message outside of the hours".to_owned()),
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    #[test]
    fn what_is_said_of_a_line() {
        let found = |text: &str| -> Vec<String> {
            let config = Config::parse(text, &Env::default()).unwrap();
            let shown = |finding: Finding| format!("{} {}", finding.state, finding.found);
            lines(&config).into_iter().map(shown).collect()
        };
        assert!(found("").is_empty());
        assert_eq!(found("[inbound]\ninstructions = \"A.\""), ["open anybody is answered, as a stranger"]);
        let trusting = "[[agent]]\nname = \"a\"\nkind = \"owner\"\n[inbound]\ninstructions = \"A.\"\ncallers = \"list\"\n\
                        trust = \"number\"\nhours = []\ntime_zone = \"UTC\"\n\
                        [[inbound.caller]]\nnumber = \"+1206*\"\ntrusted = true\n\
                        [[inbound.line]]\nnumber = \"+12065551188\"\ncallers = \"closed\"\n";
        assert_eq!(
            found(trusting),
            [
                "closed nobody is answered",
                "list those on the list are answered; 1 trusted by number alone, which can be forged; agents for \
                 those who are trusted: 1; declined outside of the hours",
            ]
        );
    }
}
