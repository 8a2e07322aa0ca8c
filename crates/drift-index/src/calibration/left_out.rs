//! The scores of the reference's own images, each among those of all other groups.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Calibration, Error, Properties, Reference, VerdictRule};
use sdd_index::{FileStore, Filter};

use crate::answer::Failure;
use crate::calibration::blocks::in_blocks;
use crate::calibration::calibrated::{Calibrated, finish};
use crate::groups::Groups;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::remarks::{Part, Remarks, Skipped};

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
    /// An image that the model has just looked at.
    pub fn add(
        &mut self,
        id: String,
        predicted_class: Option<String>,
        properties: Option<Properties>,
    ) {
        self.0.insert(id, Known { predicted_class, group: None, properties });
    }

    /// What a calibration says of those of its images that `is_meant` lets through.
    pub fn add_known(&mut self, calibration: &Calibration, is_meant: impl Fn(&str) -> bool) {
        for entry in calibration.entries() {
            let Some(id) = entry.id.as_ref().filter(|id| is_meant(id)) else { continue };
            let CalibrationEntry { predicted_class, group, properties, .. } = entry.clone();
            self.0.insert(id.clone(), Known { predicted_class, group, properties });
        }
    }

    /// Each row of `store`, which is the reference's, by its group and by the class that the model took it for, else
    /// the class that it is of.
    pub(super) fn calibrate(
        self,
        reference: &Reference,
        store: &FileStore,
        groups: &Groups,
        rule: VerdictRule,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<Calibrated> {
        let records = store.records(Filter::All);
        let group_by = groups.by().context("nobody told of groups")?.clone();
        let of = |id: &str| self.0.get(id);
        let remembered = |id: &str| of(id).and_then(|known| known.group.as_deref());
        let known = records.iter().map(|record| (record.id.as_str(), remembered(&record.id)));
        // Where groups are remembered, only what is new may be without one by mistake: the rest never had one.
        let is_update = self.0.values().any(|known| known.group.is_some());
        if is_update {
            let new = known.clone().filter(|(id, _)| of(id).is_some());
            groups.assign(new).context("the reference's own images calibrate")?;
        }
        let told = groups
            .assign_some(known, !is_update)
            .context("the reference's own images calibrate")?;
        // What has no group is compared with, as drawings or altered pictures may be, and calibrates nothing.
        let apart = |(group, record): (&Option<String>, &sdd_index::Record)| {
            group.clone().unwrap_or_else(|| format!("\0{}", record.id))
        };
        let groups: Vec<String> = told.iter().zip(&records).map(apart).collect();
        let row = |(record, group)| {
            let record: &sdd_index::Record = record;
            let predicted_class = of(&record.id).and_then(|known| known.predicted_class.as_deref());
            let label = record.label.as_deref();
            Row { id: &record.id, label, predicted_class: predicted_class.or(label), group }
        };
        let rows: Vec<Row<'_>> =
            records.iter().zip(groups.iter().map(String::as_str)).map(row).collect();
        let left_out = reference.leave_one_group_out(rows.clone())?;
        let progress = Progress::new(rows.len(), "images scored");
        let made = in_blocks(left_out.blocks(), progress, interrupt, |block| {
            match left_out.scores(block) {
                Ok(scores) => scores.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        })?;
        let mut scores: Vec<_> = rows.iter().map(|_| None).collect();
        for made in made {
            let (row, score) = made?;
            scores[row] = Some(score);
        }
        let mut entries = Vec::with_capacity(rows.len());
        for ((row, score), told) in rows.iter().zip(scores).zip(&told) {
            if told.is_none() {
                continue;
            }
            match score.context("a row was not scored")? {
                Ok(score) => entries.push(CalibrationEntry {
                    id: Some(row.id.to_owned()),
                    score,
                    predicted_class: row.predicted_class.map(str::to_owned),
                    label: row.label.map(str::to_owned),
                    group: Some(row.group.to_owned()),
                    properties: of(row.id).and_then(|known| known.properties),
                }),
                // Such an image as a query would have a score, and nothing to compare it with.
                Err(error @ (Error::ClassWithoutReference { .. } | Error::OneGroup { .. })) => {
                    let failure = Failure { code: error.code(), message: error.to_string() };
                    let id = row.id.to_owned();
                    remarks.skipped.push(Skipped::new(Some(Part::Calibration), id, failure));
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot score image {}", row.id));
                }
            }
        }
        ensure!(!entries.is_empty(), "no image can be scored among those of other groups");
        let source = CalibrationSource::LeaveOneGroupOut { group_by: group_by.clone() };
        let score = reference.score();
        let calibration = finish(score, rule, entries, Some(group_by), source, remarks)?;
        Ok(Calibrated { calibration, images: None })
    }
}
