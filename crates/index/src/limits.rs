//! What a store may hold at most.

/// The largest vector dimension that is accepted.
pub const MAX_DIMENSION: usize = 65_536;

/// The longest vector that is accepted: with norms up to this, no squared distance reaches half of
/// `f32::MAX`. FAISS marks "no neighbor" by the distance `f32::MAX`, and a row at an infinite
/// distance would never be found.
pub(crate) const MAX_NORM: f64 = 6.5e18;

/// The most attachments of a store.
pub(crate) const MAX_ATTACHMENTS: usize = 64;
/// The largest attachment.
pub(crate) const MAX_ATTACHMENT_BYTES: u64 = 256 << 20;
