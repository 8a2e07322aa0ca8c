//! What the model answers for one image.

/// The answer for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Position of the decided class in [`ModelSpec::labels`](crate::ModelSpec::labels).
    pub class_index: usize,
    /// Probability of the decided class, in `[0, 1]`. It can be below one half where the model's
    /// decision threshold is.
    pub confidence: f32,
    /// Probability of each class, in the order of the labels; they sum to 1 up to rounding.
    pub probabilities: Vec<f32>,
    /// The penultimate average pool, `embedding_dimension` finite values, not normalised.
    pub embedding: Vec<f32>,
}
