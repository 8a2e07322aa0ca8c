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
//! # Given one calibration
//!
//! Given *one* calibration set the false-alarm rate is itself random, with the distribution `Beta(a, n + 1 − a)`,
//! `a = ⌊α(n + 1)⌋`. The generalized Simes inequality enlarges `p` so that `P(p′ ≤ t | calibration) ≤ t` for all `t` with
//! probability `1 − δ` over the calibration set:
//!
//! ```text
//! k   = ⌊n/2⌋
//! a_i = 0                                                         for i < k
//! a_i = δ^{1/k} · (∏_{m=i−k+1..i} m / ∏_{m=n−k+1..n} m)^{1/k}     for i ≥ k
//! p′  = 1 − a_j,   j = n − #{s_i ≥ s}
//! ```
//!
//! and 1 for `j = 0`. (The source writes `j = max(1, ⌊(n + 1)(1 − p)⌋)`. In floating point the floor falls one short at
//! many ranks; and of 2 or 3 images `1 − a_1` is less than 1, so that a large α would find an image strange that is
//! less strange than all others.) Which p-value is used is a [`PValueKind`].
//!
//! # Groups
//!
//! Images of one part, tray or shift are alike: many of them say little more about the next part than one does. What is
//! exchangeable is the group, so each group weighs one, however many images it has. With the scores `s_gi` of the
//! images of `G` calibration groups, `n_g` of group g, the p-value of the score `s` of an image of a new group is
//!
//! ```text
//! p = (1 + Σ_g (1/n_g) · #{i : s_gi ≥ s}) / (G + 1)
//! ```
//!
//! `P(p ≤ α) ≤ α` on average over calibrations and over the images of a new group that is exchangeable with those of
//! the calibration. The smallest p is `1/(G + 1)`: at 5 % it takes 19 groups.
//!
//! Sources: Bates, Candès, Lei, Romano, Sesia, “Testing for outliers with conformal p-values”, Annals of Statistics
//! 51(1), 2023; Lee, Barber, Willett, “Distribution-free inference with hierarchical data”, 2023; Dunn, Wasserman,
//! Ramdas, “Distribution-free prediction sets for two-layer hierarchical models”, JASA 2022.

mod p_values;
mod rule;

pub use p_values::PValues;
pub use rule::{DEFAULT_DELTA, PValueKind, PValueWithin, VerdictRule};
