//! Figure 2: false alarms on images of groups that nobody has seen.

use anyhow::Result;
use sdd_stats::conformal::{PValueKind, PValues};

use super::Section;
use super::draws::group;
use super::parallel::{Estimate, simulate};

const ALPHA: f64 = 0.05;
const CALIBRATIONS: u64 = 4000;
/// New groups with each calibration.
const NEW: usize = 20;
const IMAGES: usize = 8;
const GROUPS: [usize; 3] = [19, 38, 200];
const CORRELATIONS: [f64; 3] = [0.0, 0.5, 0.95];

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("2. False alarms on images of unseen groups");
    section.paragraph(&format!(
        "`P(p ≤ {ALPHA})` for good images of new groups of {IMAGES} images, over {CALIBRATIONS} calibrations with {NEW} new \
         groups each. Within a group scores are correlated, as images of one part are. p-values weigh each group once; \
         beside them those that count images, as if they came independently, and for both the share of calibrations with \
         which more than twice α are flagged. Bound of the first: α, within 3 standard errors (over calibrations)."
    ));
    let mut rows = Vec::new();
    for groups in GROUPS {
        for correlation in CORRELATIONS {
            let flagged = simulate(31 + groups as u64, CALIBRATIONS, |random| {
                let mut draw = |count| {
                    (0..count).map(|_| group(random, IMAGES, correlation)).collect::<Vec<_>>()
                };
                let (calibration, new) = (draw(groups), draw(NEW).concat());
                let by_groups = PValues::of_groups(&calibration)?;
                let by_images = PValues::of_images(calibration.concat(), PValueKind::Marginal)?;
                let share = |p_value: &dyn Fn(f64) -> f64| {
                    let flagged = new.iter().filter(|score| p_value(**score) <= ALPHA).count();
                    flagged as f64 / new.len() as f64
                };
                Ok([share(&|score| by_groups.p_value(score)), share(&|s| by_images.p_value(s))])
            });
            let flagged = flagged.into_iter().collect::<Result<Vec<[f64; 2]>>>()?;
            let [by_groups, by_images] =
                [0, 1].map(|i| Estimate::of(flagged.iter().map(|shares| shares[i])));
            let twice = |i: usize| {
                let twice = flagged.iter().filter(|shares| shares[i] > 2.0 * ALPHA).count();
                format!("{:.3}", twice as f64 / flagged.len() as f64)
            };
            let what = format!("flagged, {groups} groups, correlation {correlation}");
            let bound = ALPHA + 3.0 * by_groups.standard_error;
            rows.push([
                groups.to_string(),
                correlation.to_string(),
                format!("{:.4} ± {:.4}", by_groups.mean, by_groups.standard_error),
                section.at_most(&what, by_groups.mean, bound).into(),
                twice(0),
                format!("{:.4}", by_images.mean),
                twice(1),
            ]);
        }
    }
    let header = [
        "calibration groups",
        "correlation",
        "flagged, by groups",
        "met",
        "> 2 α",
        "by images",
        "> 2 α",
    ];
    section.table(header, &rows);
    Ok(section)
}
