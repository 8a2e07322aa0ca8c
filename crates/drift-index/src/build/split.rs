//! The held-out side of a store that is built: images of their own, or a share of the groups of all.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, bail};
use sdd_drift::calibration::CalibrationSource;

use crate::groups::{Rule, hold_out};
use crate::held_out::HeldOut;
use crate::images::folder::Folder;
use crate::images::read::{Beside, read};
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::remarks::{Part, Remarks};

/// Held-out images, before anything of them was read.
pub struct HeldOutSide {
    pub images: Source,
    /// How they were chosen, and the group of each by its id, where they are a share of all.
    share: Option<(CalibrationSource, HashMap<String, String>)>,
}

impl HeldOutSide {
    /// Images that were named for it.
    pub fn named(images: Source) -> Self {
        Self { images, share: None }
    }

    /// Takes a share of the groups from the images that were named.
    pub fn split(from: &mut Source, rule: Rule<'_>, share: f64, seed: u64) -> Result<Self> {
        let Source::Images(reference) = from else {
            bail!("groups are found by the paths of images, and a matrix has none");
        };
        let ids: Vec<&str> = reference.images.iter().map(|image| image.id.as_str()).collect();
        let groups = rule.assign(&ids)?;
        let chosen = hold_out(&groups, share, seed)?;
        let (mut held_out, mut group_of) = (Folder::default(), HashMap::new());
        let images = std::mem::take(&mut reference.images);
        for (image, group) in images.into_iter().zip(groups) {
            if chosen.contains(&group) {
                group_of.insert(image.id.clone(), group);
                held_out.images.push(image);
            } else {
                reference.images.push(image);
            }
        }
        let source = CalibrationSource::Split { group_by: rule.describe(), share, seed };
        Ok(Self { images: Source::Images(held_out), share: Some((source, group_of)) })
    }

    pub fn read(
        self,
        classes: Option<&Path>,
        model: &mut Model<'_>,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<HeldOut> {
        let beside = Beside { classes, ids: None };
        let part = Some(Part::Calibration);
        let mut embedded = read(self.images, beside, part, model, remarks, interrupt)?;
        let Some((source, mut group_of)) = self.share else { return Ok(HeldOut::named(embedded)) };
        for image in &mut embedded.images {
            image.group = group_of.remove(&image.id);
        }
        Ok(HeldOut::of_images(embedded, source))
    }
}
