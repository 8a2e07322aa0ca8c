//! Figure 3: tests that are looked at after every image.

mod betting;
mod cusum;
mod delay;

use anyhow::Result;

use super::Section;

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("3. Looking after every image");
    betting::false_alarms(&mut section)?;
    cusum::run_lengths(&mut section)?;
    cusum::calibrations(&mut section)?;
    delay::compare(&mut section)?;
    Ok(section)
}
