//! How a model is told what its owner wants of it.

/// A note of the owner's. A model that has heard the other side all along must know whose words these are.
pub fn instruction(text: &str) -> String {
    format!(
        "A note from the person you are calling for, which the other side does not hear. Follow it from now on, and \
         do not read it out: {text}"
    )
}
