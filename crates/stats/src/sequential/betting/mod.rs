//! The sequential test of the production: an e-process with bets of its own, for a stream without end.
//!
//! The outcome `x_t` is 1 for an image out of distribution. Without drift its probability, given the calibration,
//! is at most `level`, except for a share `δ_calibration` of calibrations (see
//! [`conditional_rate`](crate::conformal::ConditionalRate)). The test alarms when its e-process reaches `1/δ_betting`. So
//!
//! ```text
//! P(a false alarm, ever) ≤ δ_calibration + δ_betting = δ
//! ```
//!
//! over calibration and stream together, however often one looks.
//!
//! # The bets
//!
//! A bet `λ` against the rate `a = level` multiplies wealth as the likelihood ratio of a rate
//! `q = a + λ·a·(1 − a)` against `a` does. One bettor for each of five rates, whose odds are 1.5 to 10 times
//! those of `a`, begins anew before every image with a share of the money kept back:
//!
//! ```text
//! M_q(t) = (M_q(t−1) + w_t/5) · L_q(x_t),    E_t = Σ_q M_q(t) + Σ_{s > t} w_s,
//! w_t = T(t−1) − T(t),   T(t) = 1/(1 + ln(1 + t/300))
//! ```
//!
//! This is the mixture of the products over `s ≥ j` of all beginnings `j` and rates `q`, with weights that sum to 1,
//! hence a nonnegative supermartingale from 1: Ville's inequality holds as for a single bet, unlike for a sum of
//! restarted e-processes with weight 1 each (an e-detector), which alarms falsely sooner or later. A step takes
//! constant time and memory. The equivalent single bet is [`SequentialTest::next_bet`].
//!
//! Why so: a bettor who begins with the stream has lost nearly all after a quiet year and never notices the drift
//! that follows; one that begins anew pays `ln(1/w_t) ≈ ln t + 2 ln ln t`, once, which is close to the least that any
//! test with this guarantee pays. In simulations (n = 360, α = 5 %, δ = 5 %, a rise by ten points) images until the
//! alarm are some 200 at the beginning, 290 after 1,000 quiet images, 400 after 10,000 and 490 after 100,000; a grid of
//! one rate is faster by a tenth at its own rate and twice as slow where nearly all images are strange. `δ` is
//! halved between calibration and betting: shares of 0.2 and 0.8 were up to a fifth and a twentieth slower at the
//! beginning.
//!
//! Sources: Waudby-Smith and Ramdas, “Estimating means of bounded random variables by betting”, JRSS B 86(1), 2024;
//! for the mixture over beginnings, Shiryaev's rule, and Shafer, Shen, Vereshchagin, Vovk, “Test martingales, Bayes
//! factors and p-values”, Statistical Science 26(1), 2011.

mod guarantee;

use serde::{Deserialize, Serialize};

pub use self::guarantee::Guarantee;

use super::e_process::anytime_p_value;
use crate::error::{Error, Result};

/// The bettors' odds of an image out of distribution, in multiples of those of the level.
const ODDS: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 10.0];

/// After how many images the money kept back begins to run low.
const PATIENCE: f64 = 300.0;

/// A bettor's wealth is cut here: giving money away keeps a supermartingale one, and it stays far from overflow.
const MOST_WEALTH: f64 = 1e100;

/// What a test remembers of its stream: all that has to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequentialState {
    /// Images so far.
    pub observed: u64,
    /// Each bettor's wealth.
    pub wealth: Vec<f64>,
    /// The largest e-value so far, 1 at the beginning.
    pub largest: f64,
    /// The number of images after which the alarm was raised: it stays raised.
    pub alarmed_after: Option<u64>,
}

/// The test of one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct SequentialTest {
    guarantee: Guarantee,
    factors: [[f64; 2]; ODDS.len()],
    wealth: [f64; ODDS.len()],
    observed: u64,
    largest: f64,
    alarmed_after: Option<u64>,
}

impl SequentialTest {
    /// Before the first image.
    #[must_use]
    pub fn new(guarantee: Guarantee) -> Self {
        Self {
            guarantee,
            factors: ODDS.map(|odds| factors(guarantee.level(), odds)),
            wealth: [0.0; ODDS.len()],
            observed: 0,
            largest: 1.0,
            alarmed_after: None,
        }
    }

    /// Goes on from a state that was stored under the same guarantee.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a state that no stream leads to.
    pub fn resume(guarantee: Guarantee, state: &SequentialState) -> Result<Self> {
        let wealth = <[f64; ODDS.len()]>::try_from(state.wealth.as_slice());
        let wealth = wealth
            .ok()
            .filter(|wealth| wealth.iter().all(|wealth| (0.0..=MOST_WEALTH).contains(wealth)));
        let Some(wealth) = wealth else {
            let expected = "five numbers from 0 to 1e100";
            return Err(Error::invalid_argument("wealth", expected, format!("{:?}", state.wealth)));
        };
        if !(state.largest >= 1.0 && state.largest.is_finite()) {
            return Err(Error::invalid_argument(
                "largest",
                "a number of at least 1",
                state.largest,
            ));
        }
        if state.alarmed_after.is_some_and(|after| after > state.observed) {
            let expected = "no more than the images observed";
            let found = format!("{:?} of {}", state.alarmed_after, state.observed);
            return Err(Error::invalid_argument("alarmed_after", expected, found));
        }
        Ok(Self {
            wealth,
            observed: state.observed,
            largest: state.largest,
            alarmed_after: state.alarmed_after,
            ..Self::new(guarantee)
        })
    }

    /// What has to be stored to go on later.
    #[must_use]
    pub fn state(&self) -> SequentialState {
        SequentialState {
            observed: self.observed,
            wealth: self.wealth.to_vec(),
            largest: self.largest,
            alarmed_after: self.alarmed_after,
        }
    }

    /// Takes one image, and says whether the alarm is raised, now or since earlier.
    pub fn observe(&mut self, out_of_distribution: bool) -> bool {
        let stake = self.next_stake();
        for (wealth, factors) in self.wealth.iter_mut().zip(&self.factors) {
            let factor = factors[usize::from(out_of_distribution)];
            *wealth = ((*wealth + stake) * factor).min(MOST_WEALTH);
        }
        self.observed += 1;
        self.largest = self.largest.max(self.e_value());
        if self.alarmed_after.is_none() && self.largest >= self.guarantee.alarm_at() {
            self.alarmed_after = Some(self.observed);
        }
        self.alarmed()
    }

    /// The guarantee that is kept.
    #[must_use]
    pub fn guarantee(&self) -> &Guarantee {
        &self.guarantee
    }

    /// `E_t`: evidence of drift, 1 at the beginning, falling slowly while there is none.
    #[must_use]
    pub fn e_value(&self) -> f64 {
        self.wealth.iter().sum::<f64>() + kept_back(self.observed)
    }

    /// The largest e-value so far.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.largest
    }

    /// `min(1, 1/largest)`: valid at any time where the calibration's rate is at most the level.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        anytime_p_value(self.largest)
    }

    /// Images so far.
    #[must_use]
    pub fn observed(&self) -> u64 {
        self.observed
    }

    /// Whether the alarm was ever raised.
    #[must_use]
    pub fn alarmed(&self) -> bool {
        self.alarmed_after.is_some()
    }

    /// The number of images after which the alarm was raised.
    #[must_use]
    pub fn alarmed_after(&self) -> Option<u64> {
        self.alarmed_after
    }

    /// The bet `λ` on the next image, in [0, 1/level], with which the
    /// [path of a single bettor](super::e_process::EProcessPath) is this one.
    #[must_use]
    pub fn next_bet(&self) -> f64 {
        let stake = self.next_stake();
        let gains = self.wealth.iter().zip(&self.factors);
        let gain: f64 = gains.map(|(wealth, [_, factor])| (wealth + stake) * (factor - 1.0)).sum();
        gain / self.e_value() / (1.0 - self.guarantee.level())
    }

    /// What each bettor begins anew with before the next image, `w_t/5`.
    fn next_stake(&self) -> f64 {
        (kept_back(self.observed) - kept_back(self.observed + 1)) / ODDS.len() as f64
    }
}

/// What the bettor of these odds multiplies wealth with: by another image, by one out of distribution.
fn factors(level: f64, odds: f64) -> [f64; 2] {
    let odds = odds * level / (1.0 - level);
    let rate = odds / (1.0 + odds);
    [(1.0 - rate) / (1.0 - level), rate / level]
}

/// `T(t)`, the weight of all beginnings after `t` images.
fn kept_back(images: u64) -> f64 {
    (1.0 + (images as f64 / PATIENCE).ln_1p()).recip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequential::e_process::EProcessPath;

    fn images(rate: f64, count: usize, seed: u64) -> Vec<bool> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| random.f64() < rate).collect()
    }

    #[test]
    fn it_is_the_single_bettor_of_its_bets() {
        let guarantee = Guarantee::new(360, 0.05, 0.05).unwrap();
        let level = guarantee.level();
        let mut test = SequentialTest::new(guarantee);
        let stream = [images(0.05, 500, 1), images(0.2, 300, 2)].concat();
        let (mut bets, mut outcomes, mut e_values) = (Vec::new(), Vec::new(), Vec::new());
        for image in stream {
            bets.push(test.next_bet());
            outcomes.push(f64::from(image));
            test.observe(image);
            e_values.push(test.e_value());
        }
        assert!(bets.iter().all(|bet| (0.0..=1.0 / level).contains(bet)));
        let path = EProcessPath::new(level, &bets, &outcomes).unwrap();
        for (found, expected) in e_values.iter().zip(path.wealth()) {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
        assert_eq!(
            test.alarmed_after().map(|after| usize::try_from(after).unwrap() - 1),
            path.first_crossing(guarantee.alarm_at())
        );
        assert!(test.alarmed() && test.alarmed_after() > Some(500));
    }

    #[test]
    fn it_resumes_where_it_was_after_storing() {
        let guarantee = Guarantee::new(360, 0.05, 0.01).unwrap();
        let mut test = SequentialTest::new(guarantee);
        for image in images(0.1, 700, 3) {
            test.observe(image);
        }
        let text = serde_json::to_string(&test.state()).unwrap();
        let state = serde_json::from_str(&text).unwrap();
        let mut resumed = SequentialTest::resume(guarantee, &state).unwrap();
        assert_eq!(resumed, test);
        for image in images(0.15, 500, 4) {
            assert_eq!(resumed.observe(image), test.observe(image));
        }
        assert_eq!(resumed.state(), test.state());
    }

    #[test]
    fn states_that_cannot_be_are_refused() {
        let guarantee = Guarantee::of_known_rate(0.05, 0.01).unwrap();
        let state = SequentialTest::new(guarantee).state();
        assert!(SequentialTest::resume(guarantee, &state).is_ok());
        for bad in [
            SequentialState { wealth: vec![0.0; 4], ..state.clone() },
            SequentialState { wealth: vec![-1.0; 5], ..state.clone() },
            SequentialState { wealth: vec![f64::NAN; 5], ..state.clone() },
            SequentialState { largest: 0.5, ..state.clone() },
            SequentialState { largest: f64::NAN, ..state.clone() },
            SequentialState { alarmed_after: Some(1), ..state.clone() },
        ] {
            assert!(SequentialTest::resume(guarantee, &bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn years_of_drift_or_of_quiet_leave_it_finite() {
        for image in [true, false] {
            let mut test = SequentialTest::new(Guarantee::of_known_rate(0.05, 0.01).unwrap());
            for _ in 0..50_000 {
                test.observe(image);
            }
            assert!(test.e_value().is_finite() && test.e_value() > 0.0);
            assert!(test.p_value() > 0.0 && test.p_value() <= 1.0);
            assert_eq!(test.alarmed(), image);
        }
    }

    #[test]
    fn an_alarm_stays() {
        let mut test = SequentialTest::new(Guarantee::of_known_rate(0.05, 0.05).unwrap());
        for _ in 0..20 {
            test.observe(true);
        }
        let after = test.alarmed_after();
        assert!((0..1000).all(|_| test.observe(false)));
        assert_eq!(test.alarmed_after(), after);
    }
}
