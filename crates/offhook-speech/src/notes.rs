//! How a model is told what its owner wants of it.

/// A note of the owner's. A model that has heard the other side all along must know whose words these are.
pub fn instruction(text: &str) -> String {
    format!(
        "A note from the person you are calling for, which the other side does not hear. Follow it from now on, and \
         do not read it out: {text}"
    )
}

/// What came of a question to the owner.
pub fn answer(question: &str, answer: Option<&str>) -> String {
    match answer {
        Some(answer) => format!(
            "The person you are calling for has answered your question. You asked: {question} The answer: {answer} Go \
             on with it."
        ),
        None => format!(
            "Nobody answered your question in time: {question} You do not have this, so do not guess it and do not ask \
             for it again. Say politely that you do not have it at hand and will call back. If the call can't go on \
             without it, say goodbye and end the call: blocked, and the summary names exactly what was missing."
        ),
    }
}
