//! Are two samples from one distribution? Tests of a batch of new images against held-out ones.
//!
//! Every p-value here lies in (0, 1], and `P(p ≤ α) ≤ α` where the two samples are exchangeable.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`kolmogorov_smirnov`] | one variable: the largest difference of the distribution functions, exact with and without ties |
//! | [`multiple_testing`] | Bonferroni |
//! | [`mmd`] | all variables at once: the maximum mean discrepancy with permutations |
//! | [`stratified_mmd`] | the same within classes, and with whole parts exchanged |
//! | [`groups`], [`divisions`] | whole parts in place of single images |
//! | [`grouped_ks`] | one variable within classes, with whole parts exchanged |
//! | [`component_ks`] | Kolmogorov–Smirnov on every component of an embedding, or every probability of a classifier |
//! | [`strata`] | comparing within classes, so that a changed mix of classes is not taken for a changed appearance |

#![allow(
    clippy::needless_pass_by_value,
    reason = "an ndarray view is a reference already, and is passed by value as one"
)]

pub mod component_ks;
pub mod divisions;
pub mod grouped_ks;
pub mod groups;
pub mod kolmogorov_smirnov;
pub mod mmd;
pub mod multiple_testing;
mod parallel;
mod permutation;
pub mod strata;
pub mod stratified_mmd;

pub(crate) use permutation::Relabeling;
pub use permutation::permutation_p_value;
pub use strata::{Comparison, Stratum};
