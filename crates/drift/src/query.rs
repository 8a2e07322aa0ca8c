//! What is asked of a reference: one image as a model saw it.

/// One image as a model saw it.
///
/// Every score looks at the embedding. The class-wise scores, and p-values within the predicted class,
/// look at the class as well; the scores of the prediction look at the probabilities.
///
/// ```
/// use sdd_drift::{ClassProbabilities, Query};
///
/// let query = Query::new(&[0.5, 2.0])
///     .of_class("good")
///     .with_probabilities(ClassProbabilities::Sigmoid(0.03));
/// assert_eq!(query.predicted_class, Some("good"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query<'a> {
    /// The embedding as the model made it, not normalized: D finite values.
    pub embedding: &'a [f32],
    /// The class that the model decided for, where it is known.
    pub predicted_class: Option<&'a str>,
    /// The model's probabilities, where they are known.
    pub probabilities: Option<ClassProbabilities<'a>>,
}

/// The probabilities of the classes, and the function that the model made them with: it decides what
/// can be known of the logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClassProbabilities<'a> {
    /// Two classes, and a sigmoid's probability of one of them, in [0, 1].
    Sigmoid(f32),
    /// One probability a class, by softmax.
    Softmax(&'a [f32]),
}

impl<'a> Query<'a> {
    /// An embedding of which nothing else is known.
    #[must_use]
    pub fn new(embedding: &'a [f32]) -> Self {
        Self { embedding, predicted_class: None, probabilities: None }
    }

    /// The same, with the class that the model decided for.
    #[must_use]
    pub fn of_class(self, predicted_class: &'a str) -> Self {
        Self { predicted_class: Some(predicted_class), ..self }
    }

    /// The same, with the model's probabilities.
    #[must_use]
    pub fn with_probabilities(self, probabilities: ClassProbabilities<'a>) -> Self {
        Self { probabilities: Some(probabilities), ..self }
    }
}

impl ClassProbabilities<'_> {
    /// The largest of the probabilities; 0 where there are none.
    #[must_use]
    pub fn largest(&self) -> f64 {
        match *self {
            Self::Sigmoid(p) => {
                let p = f64::from(p);
                p.max(1.0 - p)
            }
            Self::Softmax(all) => f64::from(all.iter().copied().fold(0.0, f32::max)),
        }
    }
}
