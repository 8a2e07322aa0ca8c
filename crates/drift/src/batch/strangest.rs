//! The images that are farthest from the reference, and what they are nearest to.

use std::collections::HashSet;

use ndarray::ArrayView1;
use sdd_index::{Normalization, RowKey};

use crate::error::{Error, Result};
use crate::query::Query;
use crate::reference::{Assessment, Reference};

use super::images::{Batch, HeldOut};
use super::report::StrangeImage;

/// What the single images say.
pub(super) struct Strangest {
    pub(super) images: Vec<StrangeImage>,
    /// Images that are out of distribution one by one; `None` where none has a verdict.
    pub(super) out_of_distribution: Option<usize>,
    /// How many groups they are of.
    pub(super) out_of_distribution_groups: Option<usize>,
    /// How many are to be expected without drift.
    pub(super) out_of_distribution_expected: Option<f64>,
    /// Images whose embedding is one of the reference's.
    pub(super) in_reference: usize,
    /// Images whose embedding is one of the held-out ones'.
    pub(super) in_held_out: usize,
}

/// The assessment of every image; `None` where a class-wise score knows nothing of its class.
pub(super) fn assess(
    reference: &Reference,
    batch: &Batch,
    neighbors: usize,
) -> Result<Vec<Option<Assessment>>> {
    let classes = batch.classes();
    let assess = |(row, embedding): (usize, ArrayView1<'_, f32>)| {
        let embedding = embedding.to_vec();
        let query = Query {
            embedding: &embedding,
            predicted_class: classes.as_ref().map(|classes| classes[row]),
        };
        // At least one neighbor, to tell images of the reference itself.
        match reference.assess(&query, neighbors.max(1)) {
            Ok(assessment) => Ok(Some(assessment)),
            Err(Error::ClassWithoutReference { .. } | Error::ClassRequired { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    batch.embeddings.rows().into_iter().enumerate().map(assess).collect()
}

impl Strangest {
    pub(super) fn of(
        held_out: &HeldOut<'_>,
        batch: &Batch,
        assessments: Vec<Option<Assessment>>,
        listed: usize,
    ) -> Self {
        let known = || assessments.iter().flatten();
        let judged = known().filter(|found| found.out_of_distribution.is_some()).count();
        let is_out = |found: &Option<Assessment>| {
            found.as_ref().is_some_and(|found| found.out_of_distribution == Some(true))
        };
        let out = assessments.iter().filter(|found| is_out(found)).count();
        let groups = batch.groups.as_ref().map(|groups| {
            let groups = groups.batch.iter().zip(&assessments);
            groups.filter(|(_, found)| is_out(found)).map(|(group, _)| group).collect()
        });
        let nearest =
            |found: &&Assessment| found.neighbors.first().is_some_and(|n| n.distance == 0.0);
        let in_reference = known().filter(nearest).count();
        let classes = batch.classes();
        let mut order: Vec<(usize, Assessment)> = assessments
            .into_iter()
            .enumerate()
            .filter_map(|(row, found)| Some((row, found?)))
            .collect();
        order.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
        // An image that is there several times is one.
        let mut seen = HashSet::new();
        let is_new = |(row, _): &(usize, Assessment)| seen.insert(key(&batch.embeddings.row(*row)));
        let images =
            order.into_iter().filter(is_new).take(listed).map(|(row, found)| StrangeImage {
                image: batch.names.as_ref().map(|names| names[row].clone()),
                row,
                class: classes.as_ref().map(|classes| classes[row].to_owned()),
                score: found.score,
                p_value: found.p_value,
                out_of_distribution: found.out_of_distribution,
                neighbors: found.neighbors,
            });
        Self {
            images: images.collect(),
            out_of_distribution: (judged > 0).then_some(out),
            out_of_distribution_groups: groups
                .filter(|_| judged > 0)
                .map(|groups: HashSet<&String>| groups.len()),
            out_of_distribution_expected: held_out
                .alpha
                .filter(|_| judged > 0)
                .map(|alpha| alpha * judged as f64),
            in_reference,
            in_held_out: count_of(held_out, batch),
        }
    }
}

/// How many rows of the batch are held-out images.
fn count_of(held_out: &HeldOut<'_>, batch: &Batch) -> usize {
    let Some(held_out) = held_out.embeddings() else { return 0 };
    let known: HashSet<RowKey> = held_out.rows().into_iter().map(|row| key(&row)).collect();
    batch.embeddings.rows().into_iter().filter(|row| known.contains(&key(row))).count()
}

/// What equal embeddings have in common, as models make them: held-out ones are kept so.
fn key(embedding: &ArrayView1<'_, f32>) -> RowKey {
    RowKey::new(Normalization::None, embedding.view())
}
