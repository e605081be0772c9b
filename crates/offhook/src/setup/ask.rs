//! Plain questions on a terminal, over ssh as well as anywhere else.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::SetupError;

/// Whoever is asked; with `yes` nobody: what is usual counts.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    yes: bool,
}

impl Ask {
    pub fn new(yes: bool) -> Self {
        Self { yes }
    }

    /// For whoever watches. What a program may want to read goes to standard output, and this does not.
    pub fn say(self, text: &str) {
        eprintln!("{text}");
    }

    /// A text; what is usual when nothing is typed.
    pub fn text(self, question: &str, usual: Option<&str>, flag: &'static str) -> Result<String, SetupError> {
        if self.yes {
            let missing = SetupError::Missing { what: "an answer", flag };
            return usual.map(str::to_owned).ok_or(missing);
        }
        loop {
            let hint = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
            let typed = read(&format!("{question}{hint}: "))?;
            match (typed.trim(), usual) {
                ("", Some(usual)) => return Ok(usual.to_owned()),
                ("", None) => {}
                (typed, _) => return Ok(typed.to_owned()),
            }
        }
    }

    /// The same, not shown while it is typed.
    pub fn secret(self, question: &str, flag: &'static str) -> Result<SecretString, SetupError> {
        if self.yes {
            return Err(SetupError::Missing { what: "a secret", flag });
        }
        loop {
            let typed = hidden(|| read(&format!("{question} (not shown): ")))?;
            if !typed.trim().is_empty() {
                return Ok(typed.trim().to_owned().into());
            }
        }
    }

    pub fn confirm(self, question: &str) -> Result<bool, SetupError> {
        if self.yes {
            return Ok(true);
        }
        loop {
            match read(&format!("{question} [y/n]: "))?.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    /// One of these, by its number; the first when nothing is typed. Where nobody is asked there is nothing to guess.
    pub fn choose(self, question: &str, among: &[String], flag: &'static str) -> Result<usize, SetupError> {
        if among.len() < 2 {
            return Ok(0);
        }
        if self.yes {
            return Err(SetupError::Missing { what: "which one", flag });
        }
        for (index, one) in among.iter().enumerate() {
            self.say(&format!("  {}  {one}", index + 1));
        }
        loop {
            let typed = read(&format!("{question} [1]: "))?;
            match (typed.trim(), typed.trim().parse::<usize>()) {
                ("", _) => return Ok(0),
                (_, Ok(number)) if (1..=among.len()).contains(&number) => return Ok(number - 1),
                _ => self.say(&format!("a number from 1 to {}", among.len())),
            }
        }
    }
}

fn read(prompt: &str) -> Result<String, SetupError> {
    eprint!("{prompt}");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Err(SetupError::NoInput),
        Ok(_) => Ok(line),
    }
}

/// Without echo while it runs, where there is a terminal.
fn hidden<T>(typed: impl FnOnce() -> T) -> T {
    let stdin = std::io::stdin();
    let usual = stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten();
    if let Some(usual) = &usual {
        let mut quiet = usual.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Flush, &quiet);
    }
    let typed = typed();
    if let Some(usual) = &usual {
        let _ = tcsetattr(&stdin, OptionalActions::Flush, usual);
        eprintln!();
    }
    typed
}
