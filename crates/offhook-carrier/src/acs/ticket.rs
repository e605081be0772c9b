//! What is written down of a call so that another process of ours can hang it up, should this one be killed.
//!
//! Text, and opaque to everybody else.

const VERSION: &str = "offhook-acs/1";

#[derive(Clone, PartialEq, Eq)]
pub enum Ticket {
    /// Asked for, and not named yet: what ACS tells of it comes to this path.
    Pending { reference: String, token: String },
    /// A call that ACS knows by this callConnectionId.
    Connection(String),
}

impl Ticket {
    pub fn to_text(&self) -> String {
        match self {
            Self::Pending { reference, token } => format!("{VERSION}\npending {reference} {token}"),
            Self::Connection(id) => format!("{VERSION}\nconnection {id}"),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (version, rest) = text.split_once('\n')?;
        let words: Vec<&str> = rest.split(' ').collect();
        if version != VERSION || words.iter().any(|word| word.is_empty() || word.len() > 1_024) {
            return None;
        }
        match words[..] {
            ["pending", reference, token] => {
                Some(Self::Pending { reference: reference.to_owned(), token: token.to_owned() })
            }
            ["connection", id] => Some(Self::Connection(id.to_owned())),
            _ => None,
        }
    }

    /// Whether a ticket is one of these.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("offhook-acs/")
    }
}

/// Without the secret.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending { .. } => "Ticket(pending)",
            Self::Connection(_) => "Ticket(connection)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let pending = Ticket::Pending { reference: "r".to_owned(), token: "t".to_owned() };
        for ticket in [pending, Ticket::Connection("421f3500".to_owned())] {
            assert!(Ticket::is_one(&ticket.to_text()));
            assert_eq!(Ticket::parse(&ticket.to_text()), Some(ticket));
        }
        for odd in [
            "",
            "offhook-acs/1",
            "offhook-acs/2\nconnection x",
            "offhook-acs/1\nconnection ",
            "offhook-acs/1\nx y",
        ] {
            assert_eq!(Ticket::parse(odd), None, "{odd:?}");
        }
    }
}
