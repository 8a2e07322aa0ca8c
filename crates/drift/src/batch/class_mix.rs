//! Are the predicted classes as frequent as among the held-out images?

use std::collections::BTreeMap;

use fastrand::Rng;

use super::images::{Batch, HeldOut};
use super::options::{MIN_IMAGES, Options};
use super::report::{ClassCount, ClassMix};
use crate::error::Result;
use crate::status::Status;
use sdd_stats::contingency::{self, Cell, Distance};
use sdd_stats::two_sample::groups::Groups;

/// Whether there are classes to count, and more than one.
pub(super) fn is_testable(held_out: &HeldOut<'_>, batch: &Batch) -> bool {
    count(held_out, batch).is_some_and(|counts| counts.len() > 1)
}

/// The held-out images and those of the batch by class, alphabetically.
fn count(held_out: &HeldOut<'_>, batch: &Batch) -> Option<Vec<ClassCount>> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let sides = [held_out.classes()?, batch.classes()?];
    for (side, classes) in sides.iter().enumerate() {
        for class in classes {
            counts.entry(class).or_default()[side] += 1;
        }
    }
    let share = |(class, [held_out_images, images]): (&str, [usize; 2])| ClassCount {
        class: class.to_owned(),
        held_out_images,
        images,
    };
    Some(counts.into_iter().map(share).collect())
}

pub(super) fn judge(
    held_out: &HeldOut<'_>,
    batch: &Batch,
    groups: Option<&Groups>,
    (options, alpha): (&Options, f64),
    random: &mut Rng,
) -> Result<ClassMix> {
    let untested = |reason: &str, classes: Vec<ClassCount>, images_needed: usize| ClassMix {
        verdict: Status::InsufficientData,
        reason: reason.to_owned(),
        statistic: None,
        p_value: None,
        alpha,
        images_needed,
        classes,
    };
    let Some(classes) = count(held_out, batch) else {
        let reason =
            "the predicted classes of the batch or of the calibration images are not known";
        return Ok(untested(reason, Vec::new(), 0));
    };
    if !options.class_mix {
        return Ok(untested("not tested, as was asked for", classes, 0));
    }
    if classes.len() < 2 {
        return Ok(untested("there is one class alone", classes, 0));
    }
    if groups.is_none() && held_out.have_groups() {
        return Ok(untested("the groups of the batch are not known", classes, 0));
    }
    if let Some(groups) = groups
        && groups.smallest_p_value(options.permutations) > alpha
    {
        let [a, b] = groups.counts();
        let reason =
            format!("there are too few groups: {a} of calibration images and {b} in the batch");
        return Ok(untested(&reason, classes, 0));
    }
    let smaller = held_out.len().min(batch.len());
    if smaller < MIN_IMAGES {
        let needed = MIN_IMAGES.saturating_sub(batch.len());
        let reason = format!(
            "{} calibration images and {} in the batch: at least {MIN_IMAGES} of each are needed",
            held_out.len(),
            batch.len()
        );
        return Ok(untested(&reason, classes, needed));
    }
    let counts: Vec<[u64; 2]> =
        classes.iter().map(|class| [class.held_out_images as u64, class.images as u64]).collect();
    let cells: Vec<_> = counts.iter().map(|rows| rows.map(Cell::of_images)).collect();
    let p_value = match groups {
        None => {
            // More permutations than that would take a day.
            let permutations = u32::try_from(options.permutations).unwrap_or(u32::MAX);
            let rows = [0, 1].map(|side| counts.iter().map(|rows| rows[side]).collect::<Vec<_>>());
            contingency::p_value_of_images([&rows[0], &rows[1]], permutations, random.u64(..))?
        }
        Some(groups) => {
            let known =
                [held_out.classes().unwrap_or_default(), batch.classes().unwrap_or_default()];
            let relabeled = groups.relabel(options.permutations, random);
            group_p_value(&classes, &known, &relabeled, groups)
        }
    };
    let drifting = p_value <= alpha;
    Ok(ClassMix {
        verdict: if drifting { Status::Drifting } else { Status::Stable },
        reason: reason(&classes, p_value, alpha),
        statistic: Some(Distance::between(&cells).chi_square),
        p_value: Some(p_value),
        alpha,
        images_needed: 0,
        classes,
    })
}

fn reason(classes: &[ClassCount], p_value: f64, alpha: f64) -> String {
    if p_value > alpha {
        return format!("the classes are as frequent as they were (p {p_value:.4} > {alpha})");
    }
    let [held_out, batch] = totals(classes);
    let share = |count: usize, total: usize| 100.0 * count as f64 / total as f64;
    let change =
        |class: &ClassCount| share(class.images, batch) - share(class.held_out_images, held_out);
    let changed = classes.iter().max_by(|a, b| change(a).abs().total_cmp(&change(b).abs()));
    changed.map_or_else(String::new, |class| {
        format!(
            "{:.0} % are {}, and {:.0} % of the calibration images (p {p_value:.4} ≤ {alpha})",
            share(class.images, batch),
            class.class,
            share(class.held_out_images, held_out),
        )
    })
}

fn totals(classes: &[ClassCount]) -> [usize; 2] {
    let sum = |of: fn(&ClassCount) -> usize| classes.iter().map(of).sum();
    [sum(|class| class.held_out_images), sum(|class| class.images)]
}

/// The p-value among the ways of calling groups the batch.
fn group_p_value(
    classes: &[ClassCount],
    known: &[Vec<&str>; 2],
    relabeled: &[Vec<bool>],
    groups: &Groups,
) -> f64 {
    let position = |class: &str| classes.partition_point(|known| known.class.as_str() < class);
    let [a, b] = groups.counts();
    let mut by_group = vec![vec![0_u64; classes.len()]; a + b];
    let (of_held_out, of_batch) = groups.of_rows();
    for (groups, classes) in [of_held_out, of_batch].into_iter().zip(known) {
        for (&group, class) in groups.iter().zip(classes) {
            by_group[group][position(class)] += 1;
        }
    }
    let distance = |is_current: &Vec<bool>| {
        let mut cells = vec![[Cell::default(); 2]; classes.len()];
        for (counts, is_current) in by_group.iter().zip(is_current) {
            for (cells, count) in cells.iter_mut().zip(counts) {
                cells[usize::from(*is_current)].add_group(*count);
            }
        }
        Distance::between(&cells)
    };
    let observed: Vec<bool> = (0..a + b).map(|group| group >= a).collect();
    let divisions: Vec<Distance> = relabeled.iter().map(distance).collect();
    contingency::p_value(distance(&observed), &divisions)
}
