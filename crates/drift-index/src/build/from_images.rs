//! Reference and calibration from folders of images.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use sdd_core::{ModelSpec, Prediction};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::{ScoreMethod, VerdictRule};
use sdd_index::Record;

use super::Material;
use super::arguments::Arguments;
use super::groups::{self, Rule};
use crate::answer::count;
use crate::held_out::{HeldOut, HeldOutImage, Predicted};
use crate::images::embed::{Outcome, embed};
use crate::images::folder::{Folder, ImageFile, ensure_images, scan};
use crate::interrupt::Interrupt;
use crate::model::identity;
use crate::remarks::{Duplicate, Part, Remarks, SkippedImage};

/// What is to be embedded: the reference first, so that an image which is on both sides stays there.
struct Plan {
    reference: Vec<ImageFile>,
    held_out: Vec<ImageFile>,
    /// One an image of `held_out`, where they have groups.
    groups: Vec<String>,
    source: Option<CalibrationSource>,
    remarks: Remarks,
}

pub(super) fn gather(
    folder: &Path,
    arguments: &Arguments,
    rule: &VerdictRule,
    interrupt: &Interrupt,
) -> Result<Material> {
    let plan = Plan::new(folder, arguments)?;
    plan.check(folder, rule)?;

    let model = arguments.model.as_ref().context("expected --model")?;
    let first = arguments.inference.open(model, 1)?;
    plan.check_classes(&first.spec().labels, arguments.score)?;
    let (model, spec) = (identity(&first), Arc::new(first.spec().clone()));

    let files: Vec<&Path> = plan.files().map(|file| file.path.as_path()).collect();
    let classifiers = arguments.inference.fork(first, files.len())?;
    let outcomes = embed(&files, classifiers, arguments.inference.limits().max_bytes, interrupt)?;
    let gathered = Gathered::new(&plan, outcomes, &spec);
    gathered.into_material(Some(model), &spec)
}

impl Plan {
    fn new(folder: &Path, arguments: &Arguments) -> Result<Self> {
        let rule = Rule::new(&arguments.calibration);
        rule.as_ref().map_or(Ok(()), groups::check_file)?;
        let mut remarks = Remarks::default();
        let images = take(scan(folder)?, Part::Reference, &mut remarks);
        let mut plan = Self {
            reference: images,
            held_out: Vec::new(),
            groups: Vec::new(),
            source: None,
            remarks,
        };
        if let Some(folder) = &arguments.calibration.folder {
            plan.held_out = take(scan(folder)?, Part::Calibration, &mut plan.remarks);
            plan.source = Some(CalibrationSource::Directory);
        }
        if let (Some(share), Some(rule)) = (arguments.calibration.calibration_share, rule) {
            plan.split(&rule, share, arguments.calibration.seed)?;
        }
        Ok(plan)
    }

    fn split(&mut self, rule: &Rule<'_>, share: f64, seed: u64) -> Result<()> {
        let groups = rule.assign(&self.reference)?;
        let chosen = groups::hold_out(&groups, share, seed)?;
        let images = std::mem::take(&mut self.reference);
        for (image, group) in images.into_iter().zip(groups) {
            if chosen.contains(&group) {
                self.held_out.push(image);
                self.groups.push(group);
            } else {
                self.reference.push(image);
            }
        }
        self.source = Some(CalibrationSource::Split { group_by: rule.describe(), share, seed });
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &ImageFile> {
        self.reference.iter().chain(&self.held_out)
    }

    /// What is known to fail is said before the work.
    fn check(&self, folder: &Path, rule: &VerdictRule) -> Result<()> {
        ensure_images(&self.reference, folder)?;
        let (required, VerdictRule { alpha, p_value, .. }) = (rule.required_images(), rule);
        ensure!(
            self.source.is_none() || self.held_out.len() >= required,
            "the calibration is too small for alpha = {alpha}: it has {}, and with p-values of kind {p_value} an alarm is \
             possible from {required} on; hold out more or choose a larger --alpha",
            count(self.held_out.len(), "image"),
        );
        Ok(())
    }

    /// A class-wise score needs the model's classes among the folders.
    fn check_classes(&self, classes: &[String], score: ScoreMethod) -> Result<()> {
        if !score.is_class_wise() {
            return Ok(());
        }
        let folders: HashSet<&str> =
            self.reference.iter().filter_map(|image| image.label.as_deref()).collect();
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
}

/// Remembers what was left out of a folder and hands back its images.
pub fn take(folder: Folder, part: Part, remarks: &mut Remarks) -> Vec<ImageFile> {
    remarks.ignored += folder.ignored;
    remarks.skipped.extend(folder.skipped.into_iter().map(|skipped| SkippedImage {
        part,
        image: skipped.image,
        reason: skipped.reason,
    }));
    folder.images
}

/// What came of the plan.
struct Gathered {
    values: Vec<f32>,
    records: Vec<Record>,
    held_out_values: Vec<f32>,
    held_out: Vec<HeldOutImage>,
    source: Option<CalibrationSource>,
    remarks: Remarks,
}

impl Gathered {
    fn new(plan: &Plan, outcomes: Vec<Outcome>, spec: &Arc<ModelSpec>) -> Self {
        let mut gathered = Self {
            values: Vec::new(),
            records: Vec::new(),
            held_out_values: Vec::new(),
            held_out: Vec::new(),
            source: plan.source.clone(),
            remarks: plan.remarks.clone(),
        };
        let all: Vec<&ImageFile> = plan.files().collect();
        for ((position, file), outcome) in all.iter().enumerate().zip(outcomes) {
            let held_out = position.checked_sub(plan.reference.len());
            match (outcome, held_out) {
                (Outcome::Classified(prediction, _), None) => gathered.add(file, &prediction),
                (Outcome::Classified(prediction, _), Some(position)) => {
                    let group = plan.groups.get(position).cloned();
                    gathered.hold_out(file, prediction, spec, group);
                }
                (Outcome::SameAs(earlier), _) => gathered.remarks.duplicates.push(Duplicate {
                    part: part(held_out),
                    image: file.id.clone(),
                    same_as: all[earlier].id.clone(),
                    other_class: differ(all[earlier].label.as_ref(), file.label.as_ref()),
                }),
                (Outcome::Unreadable(failure), _) => gathered.remarks.skipped.push(SkippedImage {
                    part: part(held_out),
                    image: file.id.clone(),
                    reason: failure.message,
                }),
            }
        }
        gathered
    }

    fn add(&mut self, file: &ImageFile, prediction: &Prediction) {
        self.values.extend_from_slice(&prediction.embedding);
        self.records.push(Record { id: file.id.clone(), label: file.label.clone() });
    }

    fn hold_out(
        &mut self,
        file: &ImageFile,
        prediction: Prediction,
        spec: &Arc<ModelSpec>,
        group: Option<String>,
    ) {
        self.held_out_values.extend_from_slice(&prediction.embedding);
        self.held_out.push(HeldOutImage {
            id: file.id.clone(),
            label: file.label.clone(),
            predicted: Predicted::Fully {
                prediction: Box::new(prediction),
                spec: Arc::clone(spec),
            },
            group,
        });
    }

    fn into_material(
        self,
        model: Option<sdd_index::ModelIdentity>,
        spec: &ModelSpec,
    ) -> Result<Material> {
        let dimension = spec.embedding_dimension;
        ensure!(
            !self.records.is_empty(),
            "none of the {} could be read; the first: {}",
            count(self.remarks.skipped.len(), "image"),
            self.remarks.skipped.first().map_or("", |skipped| &skipped.reason),
        );
        let matrix = |values: Vec<f32>, rows| {
            Array2::from_shape_vec((rows, dimension), values)
                .context("the model's embeddings are not of the dimension that it states")
        };
        let held_out = match self.source {
            Some(source) => Some(HeldOut {
                embeddings: matrix(self.held_out_values, self.held_out.len())?,
                images: self.held_out,
                classes: spec.labels.clone(),
                source,
                groups: None,
            }),
            None => None,
        };
        Ok(Material {
            model,
            embeddings: matrix(self.values, self.records.len())?,
            records: self.records,
            held_out,
            remarks: self.remarks,
        })
    }
}

/// Whether both have a class, and not the same one.
fn differ(one: Option<&String>, other: Option<&String>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

fn part(held_out: Option<usize>) -> Part {
    held_out.map_or(Part::Reference, |_| Part::Calibration)
}
