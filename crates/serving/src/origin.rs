//! Where an image comes from.

/// The camera or line that an image comes from, and the part, tray or shift that it is of; each where that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The camera or line.
    pub stream: Option<String>,
    /// The part, tray or shift: what the monitor counts as one.
    pub group: Option<String>,
}

impl Origin {
    /// Letters that a name may have.
    pub const MAX_LETTERS: usize = 100;

    /// A name as a client gives it, without white space around it; none where it is empty.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn name(text: &str) -> Result<Option<String>, String> {
        let name = text.trim();
        let letters = name.chars().count();
        if letters > Self::MAX_LETTERS {
            return Err(format!(
                "a name of {} letters at most, found {letters}",
                Self::MAX_LETTERS
            ));
        }
        if name.chars().any(char::is_control) {
            return Err("a name without line breaks and other control characters".into());
        }
        Ok((!name.is_empty()).then(|| name.to_owned()))
    }
}
