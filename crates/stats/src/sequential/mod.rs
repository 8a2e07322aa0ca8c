//! Has something changed in a stream?
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`Bag`] | the rank of a new score among all that came before, in bounded memory |
//! | [`evidence`] | what is won by betting against "nothing has changed", ever and since any moment |
//!
//! A *conformal test martingale* is the first two together. A new score is ranked among the bag of the calibration's
//! scores and of all earlier ones of the stream. Its smoothed p-value, with u uniform and drawn once for it,
//!
//! ```text
//! p = (#{bag > s} + u · (#{bag = s} + 1)) / (n + 1)
//! ```
//!
//! is uniform and independent of the past as long as calibration and stream are exchangeable, however few there are:
//! nothing is estimated, and nothing is paid for that. Bets `κ p^(κ−1)` on small p are fair then, for each κ in (0, 1).
//!
//! ```
//! use sdd_stats::sequential::{Bag, Evidence};
//!
//! let mut bag = Bag::default();
//! let mut evidence = Evidence::new(20);
//! for cell in [3, 5, 4, 2, 6] {
//!     bag.insert(cell);
//! }
//! for _ in 0..9 {
//!     // Stranger than all before, but for those that were as strange.
//!     evidence.bet_on_p_value(bag.p_value_of_greater(9, 0.5));
//!     bag.insert(9);
//! }
//! assert!(evidence.log_shiryaev_roberts() > evidence.log_martingale());
//! ```
//!
//! Sources: Vovk, Gammerman, Shafer, “Algorithmic learning in a random world”, 2005; Volkhonskiy et al., “Inductive
//! conformal martingales for change-point detection”, 2017; Shin, Ramdas, Rinaldo, “E-detectors: a nonparametric framework
//! for sequential change detection”, 2022.

mod bag;
pub mod evidence;

pub use bag::Bag;
pub use evidence::Evidence;
