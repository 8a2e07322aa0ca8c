//! What two stores, or two generations of one, do not have in common.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use sdd_index::{FileStore, Filter, Normalization, RowKey};
use serde::Serialize;

use crate::answer::{Answer, count, line};
use crate::describe::CalibrationInfo;
use crate::exit::ExitStatus;
use crate::revision::Base;
use crate::store_argument::StoreArgument;

/// How many ids are listed in text; JSON has all.
const LISTED: usize = 10;

pub fn answer(a: &StoreArgument, b: &StoreArgument) -> Result<Answer> {
    let (base_a, base_b) = (Base::of_store(a.open()?)?, Base::of_store(b.open()?)?);
    let difference = Difference::new(a, &base_a, b, &base_b);
    let status = if difference.is_none() { ExitStatus::Success } else { ExitStatus::Different };
    Answer::new(status, &difference)
}

#[derive(Serialize)]
struct Property {
    #[serde(rename = "property")]
    name: &'static str,
    a: String,
    b: String,
}

#[derive(Serialize)]
struct ChangedLabel {
    id: String,
    a: Option<String>,
    b: Option<String>,
}

#[derive(Serialize)]
struct ClassCounts {
    label: Option<String>,
    a: usize,
    b: usize,
}

#[derive(Serialize)]
struct Difference {
    a: String,
    b: String,
    properties: Vec<Property>,
    only_in_a: Vec<String>,
    only_in_b: Vec<String>,
    changed_label: Vec<ChangedLabel>,
    changed_embedding: Vec<String>,
    classes: Vec<ClassCounts>,
}

impl Difference {
    fn new(a_name: &StoreArgument, a: &Base, b_name: &StoreArgument, b: &Base) -> Self {
        let (rows_a, rows_b) = (Rows::new(&a.store), Rows::new(&b.store));
        let only = |ours: &Rows, theirs: &Rows| {
            ours.keys().filter(|id| !theirs.contains_key(*id)).cloned().collect()
        };
        let both = rows_a.iter().filter_map(|(id, ours)| Some((id, ours, rows_b.get(id)?)));
        let (mut changed_label, mut changed_embedding) = (Vec::new(), Vec::new());
        for (id, ours, theirs) in both {
            if ours.label != theirs.label {
                let (a, b) = (ours.label.clone(), theirs.label.clone());
                changed_label.push(ChangedLabel { id: id.clone(), a, b });
            }
            if ours.embedding != theirs.embedding {
                changed_embedding.push(id.clone());
            }
        }
        let mut classes: BTreeMap<Option<String>, [usize; 2]> = BTreeMap::new();
        for (side, store) in [&a.store, &b.store].into_iter().enumerate() {
            for entry in store.labels() {
                classes.entry(entry.label).or_default()[side] = entry.count;
            }
        }
        let classes = classes.into_iter().map(|(label, [a, b])| ClassCounts { label, a, b });
        Self {
            a: a_name.to_string(),
            b: b_name.to_string(),
            properties: properties(a, b),
            only_in_a: only(&rows_a, &rows_b),
            only_in_b: only(&rows_b, &rows_a),
            changed_label,
            changed_embedding,
            classes: classes.collect(),
        }
    }

    fn is_none(&self) -> bool {
        self.properties.is_empty()
            && self.only_in_a.is_empty()
            && self.only_in_b.is_empty()
            && self.changed_label.is_empty()
            && self.changed_embedding.is_empty()
    }
}

/// What is known of an image.
struct Row {
    label: Option<String>,
    embedding: RowKey,
}

/// Images by id.
struct Rows(BTreeMap<String, Row>);

impl std::ops::Deref for Rows {
    type Target = BTreeMap<String, Row>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Rows {
    fn new(store: &FileStore) -> Self {
        let embeddings = store.embeddings(Filter::All);
        let records = store.records(Filter::All).into_iter().zip(embeddings.outer_iter());
        let row = |(record, values): (sdd_index::Record, ndarray::ArrayView1<'_, f32>)| {
            // With its length, which is no part of what is stored where rows are normalized.
            let embedding = RowKey::new(Normalization::None, values);
            (record.id, Row { label: record.label, embedding })
        };
        Self(records.map(row).collect())
    }
}

/// What the two say of themselves, where it differs.
fn properties(a: &Base, b: &Base) -> Vec<Property> {
    let calibration = |base: &Base| {
        base.calibration.as_ref().map_or_else(
            || "none".to_owned(),
            |calibration| {
                let rule = calibration.rule();
                let short = CalibrationInfo::from(calibration).short();
                format!(
                    "{short}, alpha {}, {}, within {}",
                    rule.alpha,
                    rule.p_value,
                    rule.within.name()
                )
            },
        )
    };
    let model = |base: &Base| {
        let model = base.store.manifest().model.as_ref();
        model.map_or_else(
            || "unknown".to_owned(),
            |m| format!("{} {} {}", m.name, m.version, m.sha256),
        )
    };
    let of = |what: fn(&Base) -> String| (what(a), what(b));
    let held_out = |base: &Base| base.images.as_ref().map_or(0, |images| images.images().len());
    let entries = [
        ("model", (model(a), model(b))),
        ("dimension", of(|base| base.store.dimension().to_string())),
        ("normalization", of(|base| base.store.manifest().normalization.to_string())),
        ("score", of(|base| base.score.to_string())),
        ("calibration", (calibration(a), calibration(b))),
        ("held_out", (held_out(a).to_string(), held_out(b).to_string())),
    ];
    let property = |(name, (a, b))| Property { name, a, b };
    let mut differing: Vec<Property> =
        entries.into_iter().map(property).filter(|entry| entry.a != entry.b).collect();
    if differing.is_empty() && (a.calibration != b.calibration || a.images != b.images) {
        let (a, b) = ("other scores".to_owned(), "other scores".to_owned());
        differing.push(Property { name: "calibration", a, b });
    }
    differing
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return writeln!(f, "{} and {} have the same content", self.a, self.b);
        }
        writeln!(f, "a = {}, b = {}", self.a, self.b)?;
        for Property { name, a, b } in &self.properties {
            line(f, name, format_args!("{a} -> {b}"))?;
        }
        for ClassCounts { label, a, b } in &self.classes {
            let label = label.as_deref().unwrap_or("without class");
            line(f, "class", format_args!("{label}: {a} -> {b}"))?;
        }
        list(f, "only in a", &self.only_in_a)?;
        list(f, "only in b", &self.only_in_b)?;
        let name = |label: &Option<String>| label.clone().unwrap_or_else(|| "-".into());
        let labels = self.changed_label.iter();
        let labels = labels.map(|c| format!("{}: {} -> {}", c.id, name(&c.a), name(&c.b)));
        list(f, "label", &labels.collect::<Vec<_>>())?;
        list(f, "embedding", &self.changed_embedding)
    }
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, ids: &[String]) -> fmt::Result {
    if ids.is_empty() {
        return Ok(());
    }
    line(f, name, count(ids.len(), "image"))?;
    ids.iter().take(LISTED).try_for_each(|id| writeln!(f, "    {id}"))?;
    match ids.len().checked_sub(LISTED).filter(|more| *more > 0) {
        Some(more) => writeln!(f, "    and {more} more"),
        None => Ok(()),
    }
}
