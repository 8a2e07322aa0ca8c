//! What two stores, or two generations of one, do not have in common.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use sdd_index::{FileStore, Filter, Normalization, RowKey};
use serde::Serialize;

use crate::answer::{Answer, count, line, listed};
use crate::describe::{CalibrationInfo, model_text};
use crate::exit::ExitStatus;
use crate::revision::Base;
use crate::store_argument::StoreArgument;

pub fn answer(a: &StoreArgument, b: &StoreArgument) -> Result<Answer> {
    let (base_a, base_b) = (Base::open(a)?, Base::open(b)?);
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
        let (rows_a, rows_b) = (rows(&a.store), rows(&b.store));
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
type Rows = BTreeMap<String, Row>;

fn rows(store: &FileStore) -> Rows {
    let embeddings = store.embeddings(Filter::All);
    let records = store.records(Filter::All).into_iter().zip(embeddings.outer_iter());
    // With its length, which is no part of what is stored where rows are normalized.
    let row = |label, values| Row { label, embedding: RowKey::new(Normalization::None, values) };
    records.map(|(record, values)| (record.id, row(record.label, values))).collect()
}

/// What the two say of themselves, where it differs.
fn properties(a: &Base, b: &Base) -> Vec<Property> {
    let (of_a, of_b) = (described(a), described(b));
    let both = of_a.into_iter().zip(of_b).map(|((name, a), (_, b))| Property { name, a, b });
    let mut differing: Vec<Property> = both.filter(|entry| entry.a != entry.b).collect();
    if differing.is_empty() && (a.calibration != b.calibration || a.images != b.images) {
        let (a, b) = ("other scores".to_owned(), "other scores".to_owned());
        differing.push(Property { name: "calibration", a, b });
    }
    differing
}

/// What a store says of itself.
fn described(base: &Base) -> [(&'static str, String); 6] {
    let manifest = base.store.manifest();
    let calibration = base.calibration.as_ref().map(|calibration| {
        let (short, rule) = (CalibrationInfo::from(calibration).short(), calibration.rule());
        let (alpha, p_value, within) = (rule.alpha, rule.p_value, rule.within.name());
        format!("{short}, alpha {alpha}, {p_value}, within {within}")
    });
    let held_out = base.images.as_ref().map_or(0, |images| images.images().len());
    [
        ("model", model_text(manifest.model.as_ref())),
        ("dimension", base.store.dimension().to_string()),
        ("normalization", manifest.normalization.to_string()),
        ("score", base.score.to_string()),
        ("calibration", calibration.unwrap_or_else(|| "none".to_owned())),
        ("held_out", held_out.to_string()),
    ]
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
    listed(f, ids)
}
