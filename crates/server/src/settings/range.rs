//! Numbers on the command line that lie between two others.

use clap::builder::TypedValueParser;

/// Takes 1 to `largest`.
pub(crate) fn at_least_one(largest: u64) -> impl TypedValueParser<Value = usize> {
    between(1, largest)
}

/// Takes `smallest` to `largest`.
pub(crate) fn between(smallest: u64, largest: u64) -> impl TypedValueParser<Value = usize> {
    let in_range = clap::value_parser!(u64).range(smallest..=largest);
    in_range.try_map(usize::try_from)
}
