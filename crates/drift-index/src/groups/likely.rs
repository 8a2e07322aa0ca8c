//! Which images obviously belong together where nobody said so: by their names, or as they look like those with
//! neighboring names.

use std::collections::HashMap;

use ndarray::{Array2, Axis};
use sdd_drift::{GroupBy, Grouping};
use sdd_index::FlatIndex;

use crate::images::embedded::Embedded;

/// Fewer images than this are not looked at.
const MIN_IMAGES: usize = 20;

/// Fewer groups are no pattern: classes, cameras, and prefixes that all names have.
const MIN_GROUPS: usize = 5;

/// Images whose most similar other one is looked for; evenly spaced ones of more.
const SAMPLE: usize = 300;

/// Names this near in their order are neighbors.
const NEAR: usize = 3;

/// What names are tried by: the folder below that of the class, a name up to its last sign `_` or `-`, up to its first,
/// and without the last digit of its number.
const FOLDER: usize = 1;
const TO_LAST_SIGN: &str = "([^/]*)[_-][^/_-]*$";
const TO_FIRST_SIGN: &str = "([^/_-]+)[_-][^/]*$";
const NUMBERS_BY_TEN: &str = r"([^/]*)\d\D*$";

/// Says so on standard error, with the flag that tells these groups.
pub fn warn(images: &Embedded) {
    let ids: Vec<&str> = images.ids().collect();
    if let Some(found) = find(&ids, &images.embeddings) {
        eprintln!(
            "warning: several images seem to show one part each: {found}. Images of one part are alike, and counted one \
             by one they promise more than they hold; with this flag, or one that fits better, each part counts once"
        );
    }
}

fn find(ids: &[&str], embeddings: &Array2<f32>) -> Option<String> {
    let has_names = ids.iter().enumerate().any(|(row, id)| *id != row.to_string());
    if ids.len() < MIN_IMAGES || !has_names {
        return None;
    }
    let by_regex = |regex: &str| GroupBy::Regex(regex.to_owned());
    let by_name = [GroupBy::Folder(FOLDER), by_regex(TO_LAST_SIGN), by_regex(TO_FIRST_SIGN)];
    if let Some((by, pattern)) =
        by_name.into_iter().find_map(|by| Pattern::of(&by, ids).map(|pattern| (by, pattern)))
    {
        let alike = share_of_similar(embeddings, |row, other| pattern.are_together(row, other));
        let alike = alike.map_or_else(String::new, |share| {
            format!(", and {:.0} % look most like another one of their group", 100.0 * share)
        });
        let (groups, flag) = (pattern.groups, flag(&by));
        return Some(format!("{} images are of {groups} groups by {flag}{alike}", ids.len()));
    }
    let places = places(ids);
    let share =
        share_of_similar(embeddings, |row, other| places[row].abs_diff(places[other]) <= NEAR)?;
    let chance = 2.0 * NEAR as f64 / (ids.len() - 1) as f64;
    if share < 0.5 || share < 5.0 * chance {
        return None;
    }
    let by_ten = by_regex(NUMBERS_BY_TEN);
    let flag = match Pattern::of(&by_ten, ids) {
        Some(_) => format!("{} has ten consecutive ones each", flag(&by_ten)),
        None => "--group-csv FILE.csv:COLUMN names them".to_owned(),
    };
    Some(format!(
        "{:.0} % look most like one whose name is next to theirs, and {flag}",
        100.0 * share
    ))
}

fn flag(by: &GroupBy) -> String {
    match by {
        GroupBy::Regex(regex) => format!("--group-regex '{regex}'"),
        GroupBy::Folder(level) => format!("--group-folder {level}"),
        _ => String::new(),
    }
}

/// Groups that names fall into.
struct Pattern {
    of: Vec<Option<String>>,
    groups: usize,
}

impl Pattern {
    /// `None` where that is no pattern: too few groups, single images, or most of all images in one.
    fn of(by: &GroupBy, ids: &[&str]) -> Option<Self> {
        let grouping = Grouping::new(by).ok()??;
        // The folder of a class is no part.
        let is_deep = |id: &str| *by != GroupBy::Folder(FOLDER) || id.matches('/').count() > 1;
        let group = |id: &&str| grouping.group_of(id).filter(|_| is_deep(id));
        let of: Vec<Option<String>> = ids.iter().map(group).collect();
        let mut sizes = HashMap::<&str, usize>::new();
        for group in of.iter().flatten() {
            *sizes.entry(group).or_default() += 1;
        }
        let several = sizes.values().filter(|size| **size > 1);
        let (groups, images) = (several.clone().count(), several.clone().sum::<usize>());
        let largest = several.max().copied().unwrap_or(0);
        let is_pattern =
            groups >= MIN_GROUPS && 10 * images >= 9 * ids.len() && 3 * largest <= ids.len();
        is_pattern.then(|| Self { groups: sizes.len(), of: of.clone() })
    }

    fn are_together(&self, a: usize, b: usize) -> bool {
        self.of[a].is_some() && self.of[a] == self.of[b]
    }
}

/// The place of each among all by name.
fn places(ids: &[&str]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&row| ids[row]);
    let mut places = vec![0; ids.len()];
    for (place, row) in order.into_iter().enumerate() {
        places[row] = place;
    }
    places
}

/// The share of images whose most similar other one is what `is_one` says; `None` for what cannot be searched.
fn share_of_similar(
    embeddings: &Array2<f32>,
    is_one: impl Fn(usize, usize) -> bool,
) -> Option<f64> {
    let mut unit = embeddings.clone();
    for mut row in unit.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|value| value / norm);
        }
    }
    let index = FlatIndex::from_rows(unit.view()).ok()?;
    let step = unit.nrows().div_ceil(SAMPLE);
    let rows: Vec<usize> = (0..unit.nrows()).step_by(step).collect();
    let found = index.search(unit.select(Axis(0), &rows).view(), 2).ok()?;
    let nearest = rows.iter().zip(&found).filter_map(|(&row, found)| {
        found.iter().find(|near| near.row != row).map(|near| (row, near.row))
    });
    let similar = nearest.filter(|(row, other)| is_one(*row, *other)).count();
    Some(similar as f64 / rows.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows on a quarter circle: those of one `group` beside each other, groups in no order.
    fn rows(groups: impl Iterator<Item = usize>) -> Array2<f32> {
        let mut values = Vec::new();
        for (row, group) in groups.enumerate() {
            #[expect(clippy::cast_possible_truncation)]
            let angle = (0.01 * (37 * group % 101) as f64 + 1e-4 * (row % 7) as f64) as f32;
            values.extend([angle.cos(), angle.sin()]);
        }
        Array2::from_shape_vec((values.len() / 2, 2), values).unwrap()
    }

    fn found(name: impl Fn(usize) -> String, group: impl Fn(usize) -> usize) -> Option<String> {
        let names: Vec<_> = (0..60).map(name).collect();
        let ids: Vec<&str> = names.iter().map(String::as_str).collect();
        find(&ids, &rows((0..60).map(group)))
    }

    #[test]
    fn a_prefix_or_a_folder_is_named_as_a_flag() {
        let part = |row| row / 4;
        let by_prefix = found(|row| format!("ok/part{}_{}.png", row / 4, row % 4), part).unwrap();
        let expected =
            "60 images are of 15 groups by --group-regex '([^/]*)[_-][^/_-]*$', and 100 %";
        assert!(by_prefix.starts_with(expected), "{by_prefix}");
        let by_folder = found(|row| format!("ok/part{}/{}.png", row / 4, row % 4), part).unwrap();
        assert!(by_folder.contains("15 groups by --group-folder 1"), "{by_folder}");
        let views = |row| format!("ok/part{}-front-{}-{row}.png", row / 4, row % 2);
        let by_first = found(|row| views(row).replace("-front", "_front"), part).unwrap();
        assert!(by_first.contains("by --group-regex"), "{by_first}");
    }

    #[test]
    fn neighboring_names_that_look_alike_are_told() {
        let by_numbers = found(|row| format!("{row:04}.png"), |row| row / 4).unwrap();
        assert!(by_numbers.contains("--group-regex '([^/]*)\\d\\D*$' has ten"), "{by_numbers}");
        assert_eq!(found(|row| format!("{row:04}.png"), |row| row * 7 % 60), None);
    }

    #[test]
    fn what_is_no_pattern_is_not_told() {
        let alone = |row| row * 7 % 60;
        assert_eq!(found(|row| format!("good/{row:04}.png"), alone), None);
        assert_eq!(found(|row| format!("IMG_{row:04}.png"), alone), None, "one prefix of all");
        assert_eq!(found(|row| format!("cam{}_{row}.png", row % 2), alone), None, "two cameras");
        assert_eq!(found(|row| row.to_string(), |row| row / 4), None, "rows of a matrix");
        assert_eq!(find(&["p0_0", "p0_1", "p1_2", "p1_3"], &rows(0..4)), None, "too few");
    }
}
