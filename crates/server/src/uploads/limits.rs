//! What the uploads of a request may cost.

use std::time::{Duration, Instant};

use sdd_serving::Allowance;
use sdd_serving::engine::EngineShortage;

use crate::error::ApiError;

/// What the uploads of one request may cost.
pub struct UploadLimits<'a> {
    /// Length of one image, in bytes.
    pub max_bytes: usize,
    /// Number of images.
    pub max_images: usize,
    /// The memory for the uploads of all requests.
    pub memory: &'a Allowance,
    /// Time that the client may take to send them.
    pub timeout: Duration,
    /// When the answer would come too late.
    pub deadline: Instant,
    /// Why the images will not be looked at, where that is known before they have come. Then the body is
    /// read, so that the client sees the answer, and thrown away.
    pub refusal: Option<ApiError>,
    /// What there is too little of at a moment for an image that comes to be answered in time, if anything.
    /// Asked while it comes.
    pub shortage: &'a dyn Fn() -> Option<EngineShortage>,
    /// When there is likely to be room again.
    pub wait: &'a dyn Fn() -> Duration,
}
