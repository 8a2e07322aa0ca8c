//! What the benchmarks measure against, how they measure, and the charts of their results.
//!
//! ```
//! use ndarray::array;
//! use sdd_benches::brute_force::{fused, naive};
//!
//! let rows = array![[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]];
//! let query = array![0.0, 0.0];
//! assert_eq!(naive(rows.view(), query.view(), 2), [(0, 0.0), (2, 1.0)]);
//! assert_eq!(fused(rows.view(), query.view(), 2), [(0, 0.0), (2, 1.0)]);
//! ```

#![allow(
    clippy::needless_pass_by_value,
    reason = "an ndarray view is a reference already, and is passed by value as one"
)]

pub mod brute_force;
pub mod chart;
pub mod machine;
pub mod publish;
pub mod samples;
pub mod serve;
pub mod verify;

/// The model that ships with this repository, below its root.
pub const DEFAULT_MODEL: &str = "models/sdd-efficientnet-lite0.onnx";
