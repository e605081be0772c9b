//! What to press for an answer that is wanted by keys.

/// The keys for `answer` to a question for `what`; none where there is nothing to press, or more than one thing.
pub fn for_answer(what: &str, answer: &str) -> Option<String> {
    if what == "date of birth" {
        return date(answer).or_else(|| number(answer, 6));
    }
    number(answer, 4)
}

/// The one number of at least so many digits, however it is written in groups.
fn number(text: &str, at_least: usize) -> Option<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut current = String::new();
    for c in text.chars().chain(['.']) {
        match c {
            '0'..='9' => current.push(c),
            ' ' | '-' | '/' | '(' | ')' => {}
            _ if current.is_empty() => {}
            _ => numbers.push(std::mem::take(&mut current)),
        }
    }
    numbers.retain(|number| number.len() >= at_least);
    (numbers.len() == 1).then(|| numbers.remove(0))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A date with the name of its month, as it is typed on American phones: month, day, year.
fn date(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_month = |word: &str| {
        MONTHS.iter().position(|month| *month == word || word.len() == 3 && month.starts_with(word))
    };
    let month = words().find_map(is_month)? + 1;
    let numbers =
        || words().filter_map(|word| word.trim_end_matches(char::is_alphabetic).parse::<u16>().ok());
    let day = numbers().find(|day| (1..=31).contains(day))?;
    let year = numbers().find(|year| (1_880..2_200).contains(year))?;
    Some(format!("{month:02}{day:02}{year}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_press_for_an_answer() {
        for (what, answer, keys) in [
            ("account number", "The account number is 482913.", Some("482913")),
            ("account number", "It is 48 29-13, thank you.", Some("482913")),
            ("account number", "It is 482913 or 482914", None),
            ("account number", "It is 482913. Floor 3.", Some("482913")),
            ("account number", "I do not know.", None),
            ("date of birth", "The date of birth is 3 May 1990.", Some("05031990")),
            ("date of birth", "Born on December 24th, 1985", Some("12241985")),
            ("date of birth", "05/03/1990", Some("05031990")),
            ("date of birth", "In May 1990", None),
        ] {
            assert_eq!(for_answer(what, answer).as_deref(), keys, "{what}: {answer}");
        }
    }
}
