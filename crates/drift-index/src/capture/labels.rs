//! The list of captured images with the labels that a person wrote into it.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use sdd_index::MAX_LABEL_BYTES;

use super::records::is_own_path;
use crate::csv_list::CsvList;

/// An image that has a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabeledImage {
    /// From the capture folder.
    pub path: String,
    pub label: String,
    /// Which physical part it shows, where the list has a column `item`.
    pub item: Option<String>,
}

impl LabeledImage {
    /// Where it is in a data set: `good/abcd….jpg`.
    pub fn file(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        format!("{}/{name}", self.label)
    }
}

/// Reads the columns `image` and `label` (and `item`) of a CSV file; rows without a label are left out.
pub fn read(file: &Path) -> Result<Vec<LabeledImage>> {
    let place = file.display();
    let mut list = CsvList::open(file)?;
    let (image, label, item) = (list.column("image")?, list.column("label")?, list.find("item")?);
    let (mut images, mut labels) = (Vec::new(), HashMap::new());
    for record in list.rows() {
        let record = record?;
        let field = |position| record.get(position).unwrap_or_default().to_owned();
        let (path, label) = (field(image), field(label));
        if label.is_empty() {
            continue;
        }
        ensure!(is_own_path(&path), "{place}: {path:?} is no path of a captured image");
        ensure!(
            is_class(&label),
            "{place}: the label {label:?} is no name of a class, which becomes a folder"
        );
        let item = item.map(field).filter(|item| !item.is_empty());
        match labels.insert(path.clone(), label.clone()) {
            None => images.push(LabeledImage { path, label, item }),
            Some(other) => {
                ensure!(other == label, "{place} calls {path} both {other} and {label}");
            }
        }
    }
    ensure!(!images.is_empty(), "{place} labels no image: write classes into its column `label`");
    Ok(images)
}

fn is_class(label: &str) -> bool {
    !label.starts_with('.')
        && label.len() <= MAX_LABEL_BYTES
        && !label.chars().any(|c| c.is_control() || c == '/' || c == '\\')
}
