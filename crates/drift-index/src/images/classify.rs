//! Many images through several sessions of one model.

use std::path::Path;

use anyhow::{Context, Result};
use sdd_core::{Classifier, Error, Prediction};
use sha2::{Digest as _, Sha256};

use super::file;
use super::folder::ImageFile;
use crate::answer::Failure;
use crate::model::Model;
use crate::parallel::in_parallel;
use crate::progress::Progress;

/// What the model says of a file.
pub struct Classified {
    pub prediction: Prediction,
    /// Of the file's bytes.
    pub sha256: String,
}

/// What the model says of each file, or what is wrong with it, in their order and whatever the number of threads.
pub fn classify(
    files: &[ImageFile],
    model: &mut Model<'_>,
) -> Result<Vec<Result<Classified, Failure>>> {
    let max_bytes = model.max_bytes();
    let sessions = model.sessions(files.len())?;
    let progress = Progress::new(files.len(), "images");
    in_parallel(sessions, files.len(), progress, |session, position| {
        let path = &files[position].path;
        let found = classify_one(session, path, max_bytes)
            .with_context(|| format!("the model failed on {}", path.display()))?;
        Ok(vec![found])
    })
}

fn classify_one(
    classifier: &mut Classifier,
    path: &Path,
    max_bytes: usize,
) -> Result<Result<Classified, Failure>> {
    let bytes = match file::read(path, max_bytes) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(Failure::from(&error))),
    };
    match classifier.classify(&bytes) {
        Ok(prediction) => {
            let sha256 = format!("{:x}", Sha256::digest(&bytes));
            Ok(Ok(Classified { prediction, sha256 }))
        }
        // The image is at fault, so that others can still be answered; otherwise it is the model.
        Err(error @ (Error::Image(_) | Error::Output { .. })) => {
            Ok(Err(Failure::from(&anyhow::Error::from(error))))
        }
        Err(error) => Err(error.into()),
    }
}
