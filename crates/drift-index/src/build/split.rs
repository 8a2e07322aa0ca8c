//! A share of the groups of the images that a store is built from, held out.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, Result, ensure};
use sdd_drift::calibration::CalibrationSource;
use sha2::{Digest, Sha256};

use crate::answer::count;
use crate::groups::Groups;
use crate::images::folder::Folder;

/// Takes a share of the groups from `reference`, and says how.
pub fn hold_out(
    reference: &mut Folder,
    groups: &Groups,
    share: f64,
    seed: u64,
) -> Result<(Folder, CalibrationSource)> {
    let group_by = groups.by().context("nobody told of groups")?.clone();
    let of_images = groups.assign_new(reference.images.iter().map(|image| image.id.as_str()))?;
    let chosen = choose(&of_images, share, seed)?;
    let mut held_out = Folder::default();
    let images = std::mem::take(&mut reference.images);
    for (image, group) in images.into_iter().zip(of_images) {
        let side = if chosen.contains(&group) { &mut held_out } else { &mut *reference };
        side.images.push(image);
    }
    Ok((held_out, CalibrationSource::Split { group_by, share, seed }))
}

/// The groups to hold out: `share` of them, at least one, and at least one is left.
///
/// Groups are ranked by a hash of seed and name, so that the choice depends on neither the order of
/// the images nor a random generator's version.
fn choose(groups: &[String], share: f64, seed: u64) -> Result<HashSet<String>> {
    let distinct: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
    ensure!(
        distinct.len() >= 2,
        "the images form {}: expected at least 2, one for each side",
        count(distinct.len(), "group"),
    );
    let number = nearest_whole(share * distinct.len() as f64).clamp(1, distinct.len() - 1);
    let mut ranked: Vec<&str> = distinct.into_iter().collect();
    ranked.sort_by_cached_key(|group| {
        let digest: [u8; 32] = Sha256::digest(format!("{seed}:{group}")).into();
        digest
    });
    Ok(ranked.into_iter().take(number).map(str::to_owned).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is not negative and not above the count"
)]
fn nearest_whole(number: f64) -> usize {
    number.round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_groups_is_held_out_whatever_the_order() {
        let groups: Vec<String> = (0..50).map(|group| format!("{}", group % 10)).collect();
        let chosen = choose(&groups, 0.2, 0).unwrap();
        assert_eq!(chosen.len(), 2);
        let reversed: Vec<String> = groups.iter().rev().cloned().collect();
        assert_eq!(choose(&reversed, 0.2, 0).unwrap(), chosen);
        assert!((1..20).any(|seed| choose(&groups, 0.2, seed).unwrap() != chosen));
    }

    #[test]
    fn both_sides_get_at_least_one_group() {
        let groups = ["a".to_owned(), "b".to_owned()];
        assert_eq!(choose(&groups, 0.001, 0).unwrap().len(), 1);
        assert_eq!(choose(&groups, 0.999, 0).unwrap().len(), 1);
        assert!(choose(&groups[..1], 0.5, 0).is_err());
    }
}
