//! The choice of predictions that are kept.

use crate::capture::options::CaptureOptions;
use crate::capture::prediction::Reason;
use crate::engine::Answer;

impl CaptureOptions {
    /// The reasons to keep the image with this SHA-256 with its answer; none where it is not kept.
    pub(crate) fn reasons(&self, sha256: &str, answer: &Answer) -> Vec<Reason> {
        let drift = answer.drift.as_ref();
        let strange = drift.and_then(|drift| drift.out_of_distribution) == Some(true);
        let doubtful = f64::from(answer.prediction.confidence) < self.below_confidence;
        [
            (self.samples(sha256), Reason::Sample),
            (self.always_ood && strange, Reason::OutOfDistribution),
            (doubtful, Reason::LowConfidence),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    /// Whether an image is in the sample. By content rather than by chance: an image that is sent
    /// again and again is not kept in the end, and servers beside each other keep the same ones.
    fn samples(&self, sha256: &str) -> bool {
        if self.share <= 0.0 || self.share >= 1.0 {
            return self.share >= 1.0;
        }
        position(sha256) < self.share
    }
}

/// A number from 0 to below 1 that lies in the image's content, as good as at random. `sha256` has 64
/// hexadecimal digits.
fn position(sha256: &str) -> f64 {
    // 52 bits, which a float holds exactly.
    let bits = sha256.get(..13).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    (bits.unwrap_or(0) as f64) / ((1_u64 << 52) as f64)
}
