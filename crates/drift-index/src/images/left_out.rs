//! What a summary says of the images of a folder that were left out.

use std::fmt::{self, Display};

use super::folder::Ignored;
use crate::answer::{count, line};

/// How many duplicates are listed in text; JSON has all.
const LISTED: usize = 10;

/// Every image that was skipped, the first duplicates, and what was passed over.
pub fn fmt(
    f: &mut fmt::Formatter<'_>,
    skipped: &[impl Display],
    duplicates: &[impl Display],
    ignored: &Ignored,
) -> fmt::Result {
    if !skipped.is_empty() {
        line(f, "skipped", count(skipped.len(), "image"))?;
        skipped.iter().try_for_each(|skipped| writeln!(f, "    {skipped}"))?;
    }
    if !duplicates.is_empty() {
        let number = count(duplicates.len(), "image");
        let what = format_args!("{number} left out, the same as another");
        line(f, "duplicates", what)?;
        duplicates.iter().take(LISTED).try_for_each(|one| writeln!(f, "    {one}"))?;
        if let Some(more) = duplicates.len().checked_sub(LISTED).filter(|more| *more > 0) {
            writeln!(f, "    and {more} more")?;
        }
    }
    ignored.fmt(f)
}
