//! Conformal p-values: how strange is a score among the scores of images that are known to be fine?
//!
//! Let `s_1 … s_n` be the scores of `n` calibration images that were held out of the reference, a
//! larger score being stranger. The p-value of a new score `s` is
//!
//! ```text
//! p = (1 + #{i : s_i ≥ s}) / (n + 1)
//! ```
//!
//! If the new image is exchangeable with the calibration images, then `P(p ≤ α) ≤ α`, on average
//! over calibration sets: calling an image out of distribution when `p ≤ α` raises a false alarm
//! on a share α of good images at most. `p` is never 0 and never above 1.
//!
//! Given *one* calibration set the false-alarm rate is itself random, with the distribution
//! `Beta(a, n + 1 − a)`, `a = ⌊α(n + 1)⌋`. [`SimesCorrection`] enlarges `p` so that the guarantee holds for the calibration at hand with probability `1 − δ`. Which of them is used is a [`PValueKind`].
//!
//! Source: Bates, Candès, Lei, Romano, Sesia, “Testing for outliers with conformal p-values”,
//! Annals of Statistics 51(1), 2023.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `scores` | the calibration's scores, the marginal p-value, the threshold |
//! | `simes` | the correction for the calibration at hand |
//! | [`p_value`] | which of them, at which level, among which scores |
//! | [`groups`] | the same where whole groups of images are exchangeable, and single images are not |

pub mod groups;
pub mod p_value;
mod scores;
mod simes;

pub use groups::GroupedScores;
pub use p_value::{PValueKind, PValueWithin, PValues, VerdictRule};
pub use scores::{CalibrationScores, required_calibration_images};
pub use simes::SimesCorrection;
