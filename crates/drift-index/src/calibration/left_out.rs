//! The scores of the reference's own images, each among those of all other groups.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Calibration, Properties, Reference, VerdictRule};
use sdd_index::{Filter, Record};

use super::{calibration, skip};
use crate::groups::Groups;
use crate::images::embedded::EmbeddedImage;
use crate::parallel::{in_parallel, threads};
use crate::progress::Progress;
use crate::remarks::Remarks;

/// What is known of the images of a reference beside their rows: what the model took them for, and their groups where a
/// store remembers them.
#[derive(Default)]
pub struct LeftOut(HashMap<String, Known>);

/// What is known of an image.
struct Known {
    predicted_class: Option<String>,
    group: Option<String>,
    properties: Option<Properties>,
}

impl LeftOut {
    /// Images that the model has just looked at.
    pub fn add(&mut self, images: &[EmbeddedImage]) {
        for EmbeddedImage { known, .. } in images {
            let (predicted_class, properties) = (known.predicted_class.clone(), known.properties);
            self.0.insert(known.id.clone(), Known { predicted_class, group: None, properties });
        }
    }

    /// What a calibration says of those of its images that `is_meant` lets through.
    pub fn add_known(&mut self, calibration: &Calibration, is_meant: impl Fn(&str) -> bool) {
        for entry in calibration.entries() {
            let Some(id) = entry.id.as_ref().filter(|id| is_meant(id)) else { continue };
            let CalibrationEntry { predicted_class, group, properties, .. } = entry.clone();
            self.0.insert(id.clone(), Known { predicted_class, group, properties });
        }
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
        let known = |id: &str| self.0.get(id);
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
            let known = self.0.get(&record.id);
            (record.id.as_str(), known.and_then(|known| known.group.as_deref()))
        });
        // Where groups are remembered, only what is new may be without one by mistake: the rest never had one.
        let is_update = self.0.values().any(|known| known.group.is_some());
        if is_update {
            groups.assign(known.clone().filter(|(id, _)| self.0.contains_key(*id)))?;
        }
        groups.assign_some(known, !is_update)
    }
}
