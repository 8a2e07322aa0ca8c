//! What is known to fail, or to come out badly, before the work that it takes.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sdd_drift::{PValueWithin, ScoreMethod, VerdictRule};

use crate::answer::{are, count, some_of};
use crate::groups::Groups;
use crate::held_out::HeldOut;
use crate::images::embedded::Embedded;
use crate::images::source::Source;

/// Whether a store can be written there.
pub fn destination(out: &Path) -> Result<()> {
    if let Ok(mut entries) = fs::read_dir(out) {
        let is_store = ["manifest.json", ".lock"].iter().any(|name| out.join(name).exists());
        ensure!(
            is_store || entries.next().is_none(),
            "{} holds something that is no reference store: choose a new or an empty folder",
            out.display(),
        );
    } else {
        ensure!(!out.exists(), "{} is not a folder that can be read", out.display());
    }
    let existing = out.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    tempfile::tempdir_in(existing)
        .with_context(|| format!("cannot write into {}", existing.display()))?;
    Ok(())
}

/// Where the reference's own images are to calibrate: there are groups among their names.
pub fn left_out(reference: &Source<'_>, groups: &Groups) -> Result<()> {
    groups.check_names(reference)?;
    match reference {
        Source::Images(folder) if groups.are_told() => {
            let ids = folder.images.iter().map(|image| (image.id.as_str(), None));
            groups.assign_some(ids, false).map(drop)
        }
        _ => Ok(()),
    }
}

/// Images of a group that is on both sides lie closer to the reference than those of a new one.
pub fn warn_of_both_sides(reference: &Embedded, held_out: Option<&HeldOut>, groups: &Groups) {
    let Some(HeldOut { embedded: held_out, .. }) = held_out else { return };
    let held_out: HashSet<&str> =
        held_out.images.iter().filter_map(|image| image.group.as_deref()).collect();
    let reference: BTreeSet<String> =
        reference.ids().filter_map(|id| groups.group_of(id, None)).collect();
    let both: Vec<&str> =
        reference.iter().map(String::as_str).filter(|group| held_out.contains(group)).collect();
    if !both.is_empty() {
        eprintln!(
            "warning: {} both in the reference and held out, for example {}: images of one are alike, and thresholds \
             come out too small",
            are(both.len(), "group"),
            some_of(&both),
        );
    }
}

pub fn held_out(held_out: &Source<'_>, groups: &Groups, rule: &VerdictRule) -> Result<()> {
    let (required, VerdictRule { alpha, p_value, .. }) = (rule.required_images(), rule);
    match held_out {
        Source::Images(folder) if groups.are_told() => {
            // With too few groups there is a store all the same, which takes more of them later.
            let ids = folder.images.iter().map(|image| image.id.as_str());
            groups.assign_new(ids).context("of the held-out images")?;
        }
        Source::Images(folder) => ensure!(
            folder.images.len() >= required,
            "the calibration is too small for alpha = {alpha}: it has {}, and with p-values of kind {p_value} an \
             alarm is possible from {required} on; hold out more or choose a larger --alpha",
            count(folder.images.len(), "image"),
        ),
        Source::Matrix(matrix) => {
            groups.check_names(held_out)?;
            ensure!(
                rule.within != PValueWithin::PredictedClass || matrix.classes.is_some(),
                "p-values within the predicted class need the classes of the held-out embeddings: name them with \
                 --calibrate-classes",
            );
        }
    }
    Ok(())
}

/// A class-wise score needs the model's classes among the folders.
pub fn classes(folders: &HashSet<&str>, classes: &[String], score: ScoreMethod) -> Result<()> {
    if !score.is_class_wise() {
        return Ok(());
    }
    let missing: Vec<&str> =
        classes.iter().map(String::as_str).filter(|class| !folders.contains(class)).collect();
    ensure!(
        missing.len() < classes.len(),
        "the score `{score}` compares within the model's classes ({}), and there is no folder of any: \
         name the folders like the classes, or choose another --score",
        classes.join(", "),
    );
    if !missing.is_empty() {
        eprintln!(
            "warning: there is no folder of {}: images of that class will have no score",
            missing.join(", "),
        );
    }
    Ok(())
}
