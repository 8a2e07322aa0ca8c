//! What is asked of a reference: one image as a model saw it.

/// One image as a model saw it.
///
/// Every score looks at the embedding. The class-wise scores, and p-values within the predicted class,
/// look at the class as well.
///
/// ```
/// use sdd_drift::Query;
///
/// let query = Query::new(&[0.5, 2.0]).of_class("good");
/// assert_eq!(query.predicted_class, Some("good"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query<'a> {
    /// The embedding as the model made it, not normalized: D finite values.
    pub embedding: &'a [f32],
    /// The class that the model decided for, where it is known.
    pub predicted_class: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// An embedding of which nothing else is known.
    #[must_use]
    pub fn new(embedding: &'a [f32]) -> Self {
        Self { embedding, predicted_class: None }
    }

    /// The same, with the class that the model decided for.
    #[must_use]
    pub fn of_class(self, predicted_class: &'a str) -> Self {
        Self { predicted_class: Some(predicted_class), ..self }
    }
}
