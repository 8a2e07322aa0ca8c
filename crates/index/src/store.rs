//! What a reference store is asked, and what it answers.

use std::sync::Arc;

/// One neighbor that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// The row's id.
    pub id: Arc<str>,
    /// The row's label, if it has one.
    pub label: Option<Arc<str>>,
    /// The squared Euclidean distance, after normalization of both sides.
    pub distance_squared: f32,
}

/// Which rows a search or a read looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter<'a> {
    /// All of them.
    All,
    /// Those with exactly this label; none where no row has it.
    Label(&'a str),
}

/// A label and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct LabelCount {
    /// The label; `None` for the rows without one.
    pub label: Option<String>,
    /// How many rows have it.
    pub count: usize,
}
