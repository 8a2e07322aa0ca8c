//! Are the predicted classes as frequent as among the held-out images?

use std::collections::BTreeMap;

use fastrand::Rng;

use super::images::{Batch, HeldOut};
use super::report::{ClassMix, ClassShare, Verdict};
use super::{MIN_IMAGES, Options, too_few_groups};
use crate::two_sample::permutation_p_value;
use crate::two_sample::stratified_mmd::Groups;

/// Whether there are classes to count, and more than one.
pub(super) fn is_testable(held_out: &HeldOut<'_>, batch: &Batch) -> bool {
    count(held_out, batch).is_some_and(|counts| counts.len() > 1)
}

/// The held-out images and those of the batch by class, alphabetically.
fn count(held_out: &HeldOut<'_>, batch: &Batch) -> Option<Vec<ClassShare>> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let sides = [held_out.classes()?, batch.classes()?];
    for (side, classes) in sides.iter().enumerate() {
        for class in classes {
            counts.entry(class).or_default()[side] += 1;
        }
    }
    let share = |(class, [held_out_images, images]): (&str, [usize; 2])| ClassShare {
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
) -> ClassMix {
    let untested = |reason: &str, classes: Vec<ClassShare>, images_needed: usize| ClassMix {
        verdict: Verdict::InsufficientData,
        reason: reason.to_owned(),
        statistic: None,
        p_value: None,
        alpha,
        images_needed,
        classes,
    };
    let Some(classes) = count(held_out, batch) else {
        let reason = "the predicted classes of the batch or of the held-out images are not known";
        return untested(reason, Vec::new(), 0);
    };
    if !options.class_mix {
        return untested("not tested, as was asked for", classes, 0);
    }
    if classes.len() < 2 {
        return untested("there is one class alone", classes, 0);
    }
    if let Some([a, b]) = groups.map(Groups::counts)
        && too_few_groups(a, b, alpha)
    {
        let reason =
            format!("there are too few groups: {a} of held-out images and {b} in the batch");
        return untested(&reason, classes, 0);
    }
    let smaller = held_out.len().min(batch.len());
    if smaller < MIN_IMAGES {
        let needed = MIN_IMAGES.saturating_sub(batch.len());
        let reason = format!(
            "{} held-out images and {} in the batch: at least {MIN_IMAGES} of each are needed",
            held_out.len(),
            batch.len()
        );
        return untested(&reason, classes, needed);
    }
    let statistic = chi_square(&classes);
    let permuted = match groups {
        None => permuted(&classes, options.permutations, random),
        Some(groups) => {
            let known =
                [held_out.classes().unwrap_or_default(), batch.classes().unwrap_or_default()];
            permuted_groups(&classes, &known, &groups.relabel(options.permutations, random), groups)
        }
    };
    let p_value = permutation_p_value(statistic, &permuted);
    let drifting = p_value <= alpha;
    ClassMix {
        verdict: if drifting { Verdict::Drifting } else { Verdict::Stable },
        reason: reason(&classes, p_value, alpha),
        statistic: Some(statistic),
        p_value: Some(p_value),
        alpha,
        images_needed: 0,
        classes,
    }
}

fn reason(classes: &[ClassShare], p_value: f64, alpha: f64) -> String {
    if p_value > alpha {
        return format!("the classes are as frequent as they were (p {p_value:.4} > {alpha})");
    }
    let [held_out, batch] = totals(classes);
    let share = |count: usize, total: usize| 100.0 * count as f64 / total as f64;
    let change =
        |class: &ClassShare| share(class.images, batch) - share(class.held_out_images, held_out);
    let changed = classes.iter().max_by(|a, b| change(a).abs().total_cmp(&change(b).abs()));
    changed.map_or_else(String::new, |class| {
        format!(
            "{:.0} % are {}, and {:.0} % of the held-out images (p {p_value:.4} ≤ {alpha})",
            share(class.images, batch),
            class.class,
            share(class.held_out_images, held_out),
        )
    })
}

fn totals(classes: &[ClassShare]) -> [usize; 2] {
    let sum = |of: fn(&ClassShare) -> usize| classes.iter().map(of).sum();
    [sum(|class| class.held_out_images), sum(|class| class.images)]
}

/// `Σ (O − E)²/E` of the 2 x C table.
fn chi_square(classes: &[ClassShare]) -> f64 {
    let [held_out, batch] = totals(classes).map(|total| total as f64);
    let of_class = |class: &ClassShare| {
        let counts = [class.held_out_images as f64, class.images as f64];
        let pooled = counts[0] + counts[1];
        let term = |(count, total): (f64, f64)| {
            let expected = pooled * total / (held_out + batch);
            (count - expected).powi(2) / expected
        };
        counts.into_iter().zip([held_out, batch]).map(term).sum::<f64>()
    };
    classes.iter().map(of_class).sum()
}

/// The statistic after calling other images the batch, as often as asked.
fn permuted(classes: &[ClassShare], permutations: usize, random: &mut Rng) -> Vec<f64> {
    let [_, batch] = totals(classes);
    let of_class = |(position, class): (usize, &ClassShare)| {
        vec![position; class.held_out_images + class.images]
    };
    let mut pooled: Vec<usize> = classes.iter().enumerate().flat_map(of_class).collect();
    let mut relabeled = classes.to_vec();
    let draw = |_| {
        for (class, original) in relabeled.iter_mut().zip(classes) {
            class.images = 0;
            class.held_out_images = original.held_out_images + original.images;
        }
        for position in 0..batch {
            let other = random.usize(position..pooled.len());
            pooled.swap(position, other);
            let class = &mut relabeled[pooled[position]];
            class.images += 1;
            class.held_out_images -= 1;
        }
        chi_square(&relabeled)
    };
    (0..permutations).map(draw).collect()
}

/// The statistic after calling other groups the batch.
fn permuted_groups(
    classes: &[ClassShare],
    known: &[Vec<&str>; 2],
    relabeled: &[Vec<bool>],
    groups: &Groups,
) -> Vec<f64> {
    let position = |class: &str| classes.partition_point(|known| known.class.as_str() < class);
    let [a, b] = groups.counts();
    let mut by_group = vec![vec![0_usize; classes.len()]; a + b];
    let (of_held_out, of_batch) = groups.of_rows();
    for (groups, classes) in [of_held_out, of_batch].into_iter().zip(known) {
        for (&group, class) in groups.iter().zip(classes) {
            by_group[group][position(class)] += 1;
        }
    }
    let of_labels = |is_current: &Vec<bool>| {
        let mut relabeled = classes.to_vec();
        for (position, class) in relabeled.iter_mut().enumerate() {
            let sum = |current: bool| {
                let groups = by_group.iter().zip(is_current);
                groups.filter(|(_, is)| **is == current).map(|(counts, _)| counts[position]).sum()
            };
            (class.held_out_images, class.images) = (sum(false), sum(true));
        }
        chi_square(&relabeled)
    };
    relabeled.iter().map(of_labels).collect()
}
