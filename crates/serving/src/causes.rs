//! Errors with all their causes.

/// An error, its cause, and so on to the first one.
pub fn causes_of<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// An error with all its causes, in one line.
pub fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let chain: Vec<_> = causes_of(error).map(ToString::to_string).collect();
    chain.join(": ")
}
