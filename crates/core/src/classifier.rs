//! Image bytes in, prediction out: decoding, preprocessing, model and decision in a row.

use std::path::Path;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::input::{InputReader, ReadOptions};
use crate::model::Model;
use crate::options::ClassifierOptions;
use crate::prediction::Prediction;
use crate::spec::{Decision, ModelSpec};

/// How far outside of `[0, 1]` rounding may put a probability.
const PROBABILITY_SLACK: f32 = 1e-4;

/// How far from 1 rounding, to 8 bits at the coarsest, may put the sum of a softmax's probabilities.
const SUM_SLACK: f32 = 0.02;

/// A model with all that turns an image's bytes into its input. For one thread at a time;
/// [`fork`](Classifier::fork) makes one for another.
#[derive(Debug)]
pub struct Classifier {
    model: Model,
    reader: InputReader,
    read: ReadOptions,
    /// Position among the labels of the one that a binary model's probability is of.
    positive: usize,
}

impl Classifier {
    /// Loads the ONNX file at `path` and checks that its graph is what its description says.
    ///
    /// # Errors
    /// [`Error::Runtime`], [`Error::Device`], [`Error::Read`], [`Error::Load`], [`Error::MissingSpec`],
    /// [`Error::InvalidSpec`], [`Error::SpecMismatch`]: each names the file.
    pub fn open(path: &Path, options: &ClassifierOptions) -> Result<Self> {
        Ok(Self::new(Model::open(path, options)?, options.read.clone()))
    }

    /// The same classifier for another thread, sharing the weights.
    ///
    /// # Errors
    /// [`Error::Load`] or [`Error::Device`] when no further session can be made.
    pub fn fork(&self) -> Result<Self> {
        Ok(Self::new(self.model.fork()?, self.read.clone()))
    }

    fn new(model: Model, read: ReadOptions) -> Self {
        let spec = model.spec();
        let positive = spec.labels.iter().position(|label| Some(&**label) == spec.positive_label());
        Self { reader: InputReader::new(spec, &read), positive: positive.unwrap_or(0), model, read }
    }

    /// What the model says of itself.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }

    /// SHA-256 of the model file, 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        self.model.sha256()
    }

    /// The device in use: `Cpu` or `Cuda`, whatever was asked for.
    #[must_use]
    pub fn device(&self) -> Device {
        self.model.device()
    }

    /// A reader of images for this classifier, for a thread of its own.
    #[must_use]
    pub fn input_reader(&self) -> InputReader {
        InputReader::new(self.model.spec(), &self.read)
    }

    /// Runs the model once on `count` blank inputs, so that the first images do not pay for what ONNX
    /// Runtime allocates and chooses at the first run with as many.
    ///
    /// # Errors
    /// [`Error::Inference`] or [`Error::Output`]: the model does not work at all.
    pub fn warm_up(&mut self, count: usize) -> Result<()> {
        let blank = vec![0.0; count * self.reader.tensor_len()];
        self.run(&blank).into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    /// Classifies one encoded image.
    ///
    /// # Errors
    /// [`Error::Image`] when the image is at fault; otherwise [`Error::Inference`] or
    /// [`Error::Output`].
    pub fn classify(&mut self, image: &[u8]) -> Result<Prediction> {
        let mut tensor = vec![0.0; self.reader.tensor_len()];
        let read = self.reader.read(image, &mut tensor)?;
        let answer = self.run(&tensor).pop();
        let prediction = answer.unwrap_or_else(|| unreachable!("one image has one answer"))?;
        Ok(prediction.of_image(&read))
    }

    /// Runs the model on images that an [`InputReader`] made tensors of, one after the other; gives an answer for each.
    pub fn run(&mut self, tensors: &[f32]) -> Vec<Result<Prediction>> {
        let count = tensors.len() / self.reader.tensor_len();
        if count == 0 {
            return Vec::new();
        }
        let outputs = match self.model.run(tensors) {
            Ok(outputs) => outputs,
            // ort's errors cannot be cloned; the first image carries it, with its cause.
            Err(error) => {
                let message = error.to_string();
                let others = (1..count).map(|_| Err(Error::Inference(message.clone().into())));
                return std::iter::once(Err(error)).chain(others).collect();
            }
        };
        let probabilities = outputs.probabilities.chunks(self.spec().probability_columns());
        let embeddings = outputs.embeddings.chunks(self.spec().embedding_dimension);
        probabilities
            .zip(embeddings)
            .map(|(found, embedding)| self.decide(found, embedding.to_vec()))
            .collect()
    }

    /// Applies the model's decision rule to its probabilities for one image.
    fn decide(&self, found: &[f32], embedding: Vec<f32>) -> Result<Prediction> {
        let spec = self.model.spec();
        // An input of huge values, which only a client that sends tensors can make, has such answers.
        if let Some(at) = embedding.iter().position(|value| !value.is_finite()) {
            return Err(Error::Output {
                output: spec.outputs.embedding.clone(),
                reason: format!("value {at} is {}", embedding[at]),
            });
        }
        let allowed = -PROBABILITY_SLACK..=1.0 + PROBABILITY_SLACK;
        if let Some(value) = found.iter().find(|value| !allowed.contains(value)) {
            return Err(Error::Output {
                output: spec.outputs.probability.clone(),
                reason: format!(
                    "{value} is not a probability: the graph must end in a sigmoid or softmax"
                ),
            });
        }
        let sum: f32 = found.iter().sum();
        if matches!(spec.decision, Decision::Softmax) && (sum - 1.0).abs() > SUM_SLACK {
            return Err(Error::Output {
                output: spec.outputs.probability.clone(),
                reason: format!("its values sum to {sum}, not to 1: they are no softmax"),
            });
        }
        let mut probabilities: Vec<f32> = found.iter().map(|value| value.clamp(0.0, 1.0)).collect();
        let class_index = match spec.decision {
            Decision::Binary { threshold, .. } => {
                let positive = probabilities[0];
                probabilities = vec![1.0 - positive; 2];
                probabilities[self.positive] = positive;
                if positive >= threshold { self.positive } else { 1 - self.positive }
            }
            Decision::Softmax => {
                let largest = |best: usize, next: usize| {
                    if probabilities[next] > probabilities[best] { next } else { best }
                };
                (0..probabilities.len()).reduce(largest).unwrap_or(0)
            }
        };
        Ok(Prediction {
            class_index,
            confidence: probabilities[class_index],
            probabilities,
            embedding,
            warning: None,
            properties: None,
        })
    }
}
