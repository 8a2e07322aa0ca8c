//! The look of `--help`: what a command is for, how it is called, examples, and then the flags, a line each.

/// The template of every command. `before-help` has the examples and what there is to know.
pub const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{before-help}{all-args}{after-help}";
