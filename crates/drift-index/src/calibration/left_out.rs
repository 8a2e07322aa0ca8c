//! The scores of the reference's own images, each among those of all other groups.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Calibration, Properties, Reference, VerdictRule};
use sdd_index::{Filter, Record};

use super::entries::{calibration, skip};
use crate::groups::Groups;
use crate::images::embedded::EmbeddedImage;
use crate::parallel::{in_parallel, threads};
use crate::progress::Progress;
use crate::remarks::Remarks;

/// What is known of the images of a reference beside their rows: what the model took them for, and their groups where a
/// store remembers them.
pub struct LeftOut {
    /// Those that calibrate already, and all new ones.
    known: HashMap<String, Known>,
    /// Whether the images of the store calibrate already: one that is not known then never had a group.
    is_update: bool,
}

/// What is known of an image.
#[derive(Default)]
struct Known {
    predicted_class: Option<String>,
    group: Option<String>,
    properties: Option<Properties>,
}

impl LeftOut {
    /// What this calibration says of its images, where those of the store calibrate already.
    pub fn of_store(calibration: Option<&Calibration>) -> Self {
        Self { known: known(calibration).collect(), is_update: calibration.is_some() }
    }

    /// Images that the model has just looked at.
    pub fn add(&mut self, images: &[EmbeddedImage]) {
        for EmbeddedImage { known, .. } in images {
            let (predicted_class, properties) = (known.predicted_class.clone(), known.properties);
            self.known.insert(known.id.clone(), Known { predicted_class, group: None, properties });
        }
    }

    /// Images of another store, with what its calibration says of them, and nothing of what they replace.
    pub fn add_merged(&mut self, ids: &HashSet<&str>, calibration: Option<&Calibration>) {
        self.known.extend(ids.iter().map(|&id| (id.to_owned(), Known::default())));
        self.known.extend(known(calibration).filter(|(id, _)| ids.contains(id.as_str())));
    }

    /// Each row of the reference by its group, and by the class that the model took it for or else the one it is of.
    pub(super) fn calibrate(
        self,
        reference: &Reference,
        groups: &Groups,
        rule: VerdictRule,
        remarks: &mut Remarks,
    ) -> Result<Calibration> {
        let records = reference.store().records(Filter::All);
        let group_by = groups.by().context("nobody told of groups")?.clone();
        let told = self.groups(&records, groups).context("the reference's own images calibrate")?;
        // What has no group is compared with, as drawings or altered pictures may be, and calibrates nothing.
        let apart = told
            .iter()
            .zip(&records)
            .map(|(group, record)| group.clone().unwrap_or_else(|| format!("\0{}", record.id)));
        let apart: Vec<String> = apart.collect();
        let known = |id: &str| self.known.get(id);
        let rows = records.iter().zip(&apart).map(|(record, group)| {
            let (id, label) = (record.id.as_str(), record.label.as_deref());
            let predicted_class = known(id).and_then(|known| known.predicted_class.as_deref());
            Row { id, label, predicted_class: predicted_class.or(label), group }
        });
        let rows: Vec<Row<'_>> = rows.collect();
        let left_out = reference.leave_one_group_out(rows.clone())?;
        let progress = Progress::new(rows.len(), "images scored");
        let workers = vec![(); threads().min(left_out.blocks())];
        let mut scores = in_parallel(workers, left_out.blocks(), progress, |(), block| {
            Ok(left_out.scores(block)?)
        })?;
        scores.sort_by_key(|(row, _)| *row);
        let mut entries = Vec::with_capacity(rows.len());
        for (row, score) in scores.into_iter().filter(|(row, _)| told[*row].is_some()) {
            let Row { id, label, predicted_class, group } = rows[row];
            match score {
                Ok(score) => entries.push(CalibrationEntry {
                    id: Some(id.to_owned()),
                    score,
                    predicted_class: predicted_class.map(str::to_owned),
                    label: label.map(str::to_owned),
                    group: Some(group.to_owned()),
                    properties: known(id).and_then(|known| known.properties),
                }),
                Err(error) => skip(id, error, remarks)?,
            }
        }
        ensure!(!entries.is_empty(), "no image can be scored among those of other groups");
        let source = CalibrationSource::LeaveOneGroupOut { group_by: group_by.clone() };
        calibration(reference.score(), rule, entries, Some(group_by), source, remarks)
    }

    /// Of each of the images, where it has one.
    fn groups(&self, records: &[Record], groups: &Groups) -> Result<Vec<Option<String>>> {
        groups.check_told(records.iter().map(|record| record.id.as_str()))?;
        let known = records.iter().map(|record| {
            let known = self.known.get(&record.id);
            (record.id.as_str(), known.and_then(|known| known.group.as_deref()))
        });
        if self.is_update {
            groups.assign(known.clone().filter(|(id, _)| self.known.contains_key(*id)))?;
        }
        groups.assign_some(known, !self.is_update)
    }
}

/// What a calibration says of its images.
fn known(calibration: Option<&Calibration>) -> impl Iterator<Item = (String, Known)> {
    let entries = calibration.into_iter().flat_map(Calibration::entries).cloned();
    entries.filter_map(|CalibrationEntry { id, predicted_class, group, properties, .. }| {
        Some((id?, Known { predicted_class, group, properties }))
    })
}
