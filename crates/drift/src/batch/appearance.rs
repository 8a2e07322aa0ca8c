//! Do the images of each class look as they did?

use fastrand::Rng;

use super::options::{MIN_CLASS_IMAGES, MIN_IMAGES, Test};
use super::outcome::{Compared, Outcome};
use super::report::{Appearance, ClassAppearance, Component, TestResult};
use crate::error::Result;
use crate::status::Status;
use sdd_stats::conformal::PValueKind;
use sdd_stats::two_sample::Stratum;
use sdd_stats::two_sample::component_ks::ComponentShift;
use sdd_stats::two_sample::groups::{Groups, smallest_p_value};

/// The rows of both sides, class by class.
struct Strata {
    /// With enough images on both sides.
    tested: Vec<Stratum>,
    untested: Vec<Stratum>,
    /// Whether the classes are known; otherwise all rows are one stratum.
    within_classes: bool,
}

pub(super) fn judge(
    compared: &Compared<'_>,
    asked_for: Option<Test>,
    alpha: f64,
    random: &mut Rng,
) -> Result<Appearance> {
    let decides = compared.deciding_test(asked_for)?;
    let strata = Strata::of(compared);
    let mut appearance = Appearance {
        verdict: Status::InsufficientData,
        reason: String::new(),
        test: decides,
        p_value: None,
        alpha,
        images_needed: 0,
        groups: compared.groups.map(Groups::counts),
        smallest_p_value: compared.smallest_p_value(),
        within_classes: strata.within_classes,
        classes: strata.describe(None, alpha),
        tests: Vec::new(),
        components: Vec::new(),
    };
    let shortage = compared.unknown_groups().map(|reason| (reason.to_owned(), 0));
    let shortage = shortage.or_else(|| self::shortage(&strata, compared.groups.is_some()));
    let shortage = shortage.or_else(|| shortage_of_groups(compared, alpha));
    if let Some((reason, needed)) = shortage {
        appearance.reason = reason;
        appearance.images_needed = needed;
        return Ok(appearance);
    }
    let deciding = compared.outcome(decides, &strata.tested, random)?;
    appearance.classes = strata.describe(Some(&deciding.by_stratum), alpha);
    appearance.p_value = Some(deciding.p_value);
    appearance.verdict = if deciding.p_value <= alpha { Status::Drifting } else { Status::Stable };
    add(&mut appearance, decides, deciding, &strata);
    for test in Test::ALL {
        if test != decides && compared.missing(test).is_none() {
            let outcome = compared.outcome(test, &strata.tested, random)?;
            add(&mut appearance, test, outcome, &strata);
        }
    }
    appearance.reason = reason(&appearance);
    Ok(appearance)
}

/// What a test found, into the report.
fn add(appearance: &mut Appearance, test: Test, outcome: Outcome, strata: &Strata) {
    let Outcome { p_value, method, components, .. } = outcome;
    appearance.tests.push(TestResult { test, p_value, method });
    if test == Test::Ks {
        let changed = components.iter().filter(|shift| shift.p_value <= appearance.alpha);
        let component = |shift: &ComponentShift| Component {
            component: shift.component,
            class: strata.tested[shift.stratum].class.clone(),
            statistic: shift.statistic,
            p_value: shift.p_value,
        };
        appearance.components = changed.map(component).collect();
    }
}

impl Strata {
    fn of(compared: &Compared<'_>) -> Self {
        let (held_out, batch) = (compared.held_out.classes(), compared.batch.classes());
        let (all, within_classes) = match (held_out, batch) {
            (Some(held_out), Some(batch)) => (Stratum::by_class(&held_out, &batch), true),
            _ => (vec![Stratum::all(compared.held_out.len(), compared.batch.len())], false),
        };
        // By which classes are compared, no division of the groups may stand out: what is asked is the same of all.
        let is_enough = |stratum: &Stratum| {
            let (a, b) = (stratum.reference.len(), stratum.current.len());
            match compared.groups {
                Some(_) => a + b >= 2 * MIN_CLASS_IMAGES,
                None => a.min(b) >= MIN_CLASS_IMAGES,
            }
        };
        let (tested, untested) = all.into_iter().partition(is_enough);
        Self { tested, untested, within_classes }
    }

    /// All classes, with the p-values of those that were tested.
    fn describe(&self, p_values: Option<&[f64]>, alpha: f64) -> Vec<ClassAppearance> {
        let describe = |stratum: &Stratum, p_value: Option<f64>, tested| ClassAppearance {
            class: stratum.class.clone(),
            held_out_images: stratum.reference.len(),
            images: stratum.current.len(),
            tested,
            p_value,
            stands_out: p_value.is_some_and(|p| p <= alpha),
        };
        let tested = self.tested.iter().enumerate();
        let tested = tested.map(|(i, stratum)| describe(stratum, p_values.map(|p| p[i]), true));
        let untested = self.untested.iter().map(|stratum| describe(stratum, None, false));
        let mut classes: Vec<ClassAppearance> = tested.chain(untested).collect();
        classes.sort_by(|a, b| a.class.cmp(&b.class));
        classes
    }
}

/// Why the images are too few, and how many more it takes; `None` if they are enough.
fn shortage(strata: &Strata, of_groups: bool) -> Option<(String, usize)> {
    let Strata { tested, untested, .. } = strata;
    let sum = |strata: &[Stratum], of: fn(&Stratum) -> usize| strata.iter().map(of).sum::<usize>();
    let (held_out, current) = (|s: &Stratum| s.reference.len(), |s: &Stratum| s.current.len());
    let all = |of| sum(tested, of) + sum(untested, of);
    if all(held_out) < MIN_IMAGES {
        let reason = format!(
            "the store has {} calibration images: at least {MIN_IMAGES} are needed to compare with; build it again with \
             more",
            all(held_out)
        );
        return Some((reason, 0));
    }
    if all(current) < MIN_IMAGES {
        let found = all(current);
        let needed = MIN_IMAGES - found;
        let reason = format!(
            "the batch has {found} images: at least {MIN_IMAGES} are needed, {needed} more"
        );
        return Some((reason, needed));
    }
    if sum(tested, current).min(sum(tested, held_out)) < MIN_IMAGES {
        let needed = MIN_IMAGES.saturating_sub(sum(tested, current));
        let enough = if of_groups {
            format!("{} images of both sides together", 2 * MIN_CLASS_IMAGES)
        } else {
            format!("{MIN_CLASS_IMAGES} calibration images and {MIN_CLASS_IMAGES} of the batch")
        };
        let reason = format!(
            "a class is compared from {enough} on, and {MIN_IMAGES} of each are needed in such classes: there are {} \
             and {}",
            sum(tested, held_out),
            sum(tested, current),
        );
        return Some((reason, needed));
    }
    None
}

/// The same for groups: in how many ways they can be divided bounds the p-value.
fn shortage_of_groups(compared: &Compared<'_>, alpha: f64) -> Option<(String, usize)> {
    let [held_out, batch] = compared.groups?.counts();
    let smallest = |batch: usize| smallest_p_value(held_out, batch, compared.permutations);
    if smallest(batch) <= alpha {
        return None;
    }
    // C(a + b, b) is a + b at least, so that 1/α groups are enough.
    let most = PValueKind::Marginal.required_images(alpha) + 1;
    let needed = (batch..most).find(|&more| smallest(more) <= alpha).unwrap_or(most);
    let reason = format!(
        "the batch is of {batch} and the calibration images of {held_out} groups, which no p-value below {:.4} can \
         come of: of at least {needed} the batch must be for an alarm at {alpha} to be possible",
        smallest(batch),
    );
    Some((reason, 0))
}

fn reason(appearance: &Appearance) -> String {
    let (test, alpha) = (appearance.test, appearance.alpha);
    let p_value = appearance.p_value.unwrap_or(1.0);
    if appearance.verdict != Status::Drifting {
        return format!(
            "no difference that these images could show ({test}, p {p_value:.4} > {alpha})"
        );
    }
    let among: Vec<&str> = appearance
        .classes
        .iter()
        .filter(|class| class.stands_out)
        .filter_map(|class| class.class.as_deref())
        .collect();
    let among =
        if among.is_empty() { String::new() } else { format!(" of {}", among.join(" and of ")) };
    let within = if appearance.within_classes { "of the same class" } else { "of any class" };
    format!(
        "the images{among} differ from the calibration images {within} ({test}, p {p_value:.4} ≤ {alpha})"
    )
}
