//! Many images through several sessions of one model.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use sdd_core::{Classifier, Prediction};
use sha2::{Digest as _, Sha256};

use super::file;
use crate::answer::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// A SHA-256.
pub type Digest = sha2::digest::Output<Sha256>;

/// What became of one image.
#[derive(Debug)]
pub enum Outcome {
    /// With the SHA-256 of its bytes.
    Classified(Prediction, Digest),
    /// Its bytes are those of an earlier file, at this position.
    SameAs(usize),
    Unreadable(Failure),
}

/// What a thread makes of one image.
struct Found {
    position: usize,
    digest: Option<Digest>,
    outcome: Option<Result<Prediction, Failure>>,
}

struct Work<'a> {
    files: &'a [&'a Path],
    max_bytes: usize,
    next: AtomicUsize,
    /// The first position at which these bytes were met, so far.
    first: Mutex<HashMap<Digest, usize>>,
}

/// Classifies every file, with as many threads as there are sessions. The outcomes have the order
/// of the files and do not depend on the number of threads.
pub fn embed(
    files: &[&Path],
    sessions: &mut [Classifier],
    max_bytes: usize,
    interrupt: &Interrupt,
) -> Result<Vec<Outcome>> {
    let work = Work { files, max_bytes, next: AtomicUsize::new(0), first: Mutex::default() };
    let mut found: Vec<Option<Found>> = files.iter().map(|_| None).collect();
    let mut progress = Progress::new(files.len(), "images");
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for session in sessions {
            let (work, sender) = (&work, sender.clone());
            scope.spawn(move || work.until_done(session, &sender));
        }
        drop(sender);
        // Leaving this loop early drops the receiver, which stops the threads.
        loop {
            interrupt.check()?;
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(one) => {
                    let one: Found = one?;
                    progress.advance(1);
                    let position = one.position;
                    found[position] = Some(one);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })
    .and_then(|()| settle(found, files))
}

impl Work<'_> {
    fn until_done(&self, classifier: &mut Classifier, sender: &Sender<Result<Found>>) {
        loop {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.files.get(position) else { return };
            let found = self
                .one(classifier, position)
                .with_context(|| format!("the model failed on {}", path.display()));
            if sender.send(found).is_err() {
                return;
            }
        }
    }

    fn one(&self, classifier: &mut Classifier, position: usize) -> Result<Found> {
        let bytes = match file::read(self.files[position], self.max_bytes) {
            Ok(bytes) => bytes,
            Err(error) => {
                let outcome = Some(Err(Failure::from(&error)));
                return Ok(Found { position, digest: None, outcome });
            }
        };
        let digest: Digest = Sha256::digest(&bytes);
        let outcome = if self.met_before(digest, position) {
            None
        } else {
            match classifier.classify(&bytes) {
                Ok(prediction) => Some(Ok(prediction)),
                Err(error) if file::is_to_blame(&error) => Some(Err(Failure::from(&error.into()))),
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Found { position, digest: Some(digest), outcome })
    }

    /// Whether an earlier file has these bytes; that one is classified, whichever thread has it.
    fn met_before(&self, digest: Digest, position: usize) -> bool {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = first.entry(digest).or_insert(position);
        let met = *earliest < position;
        *earliest = position.min(*earliest);
        met
    }
}

/// Of files with the same bytes, the first one counts, in whichever order the threads met them.
fn settle(found: Vec<Option<Found>>, files: &[&Path]) -> Result<Vec<Outcome>> {
    let mut first: HashMap<Digest, (usize, Option<Failure>)> = HashMap::new();
    let mut outcomes = Vec::with_capacity(found.len());
    for (found, path) in found.into_iter().zip(files) {
        let Found { position, digest, outcome } =
            found.with_context(|| format!("no thread answered for {}", path.display()))?;
        if let Some((earlier, failure)) = digest.and_then(|digest| first.get(&digest)) {
            outcomes.push(match failure {
                Some(failure) => Outcome::Unreadable(failure.clone()),
                None => Outcome::SameAs(*earlier),
            });
            continue;
        }
        let missing = || format!("nothing was found for {}", path.display());
        let outcome = outcome.with_context(missing)?;
        if let Some(digest) = digest {
            first.insert(digest, (position, outcome.as_ref().err().cloned()));
        }
        outcomes.push(match outcome {
            Ok(prediction) => Outcome::Classified(prediction, digest.with_context(missing)?),
            Err(failure) => Outcome::Unreadable(failure),
        });
    }
    Ok(outcomes)
}
