//! Has the mix of predicted classes changed?
//!
//! A changed mix trips every test of appearance, too, so it is told apart: Pearson's chi-square test on the counts
//! of predicted classes, in the reference and now.
//!
//! ```text
//! contingency:      X² = Σ (O − E)²/E over the 2 × c table, E = row · column / total, c − 1 degrees of freedom
//! Yates:            each |O − E| reduced by min(½, |O − E|), for two classes
//! goodness of fit:  E = reference share · current total, over the current row alone
//! ```
//!
//! Goodness of fit takes the reference's shares as known without error and so rejects too often unless the reference
//! is far larger than the current sample. The chi-square approximation is
//! doubtful where an expected count is below [`MIN_EXPECTED`]; [`ContingencyTest::images_needed`] says how many images it
//! takes. [`ContingencyTest::permutation_p_value`] is exact for any counts, and finds what Pearson's statistic is
//! blind for where most classes have an image or two, see [`permuted`].
//!
//! Source: Pearson 1900; Yates 1934; the rule of five is Cochran's, “Some methods for strengthening the common χ²
//! tests”, Biometrics 10, 1954.

pub mod permuted;

use serde::Serialize;

use crate::distributions::chi_square_upper_tail;
use crate::error::{Error, Result};

/// The smallest expected count at which the chi-square approximation is trusted.
pub const MIN_EXPECTED: f64 = 5.0;

/// A chi-square statistic with its p-value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChiSquare {
    /// `X²`.
    pub statistic: f64,
    /// Classes less one.
    pub degrees_of_freedom: usize,
    /// `P(chi-square ≥ statistic)`, in (0, 1].
    pub p_value: f64,
}

impl ChiSquare {
    fn new(statistic: f64, classes: usize) -> Result<Self> {
        let degrees_of_freedom = classes.saturating_sub(1);
        let p_value = chi_square_upper_tail(statistic, degrees_of_freedom)?;
        Ok(Self { statistic, degrees_of_freedom, p_value })
    }
}

/// The tests of two rows of counts of the same classes. Classes that neither row has are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContingencyTest {
    /// Expected counts under one common mix: of the reference, of the current images.
    pub expected: [Vec<f64>; 2],
    /// The smallest of them, among classes that occur.
    pub min_expected: f64,
    /// Both rows being samples.
    pub contingency: ChiSquare,
    /// The same with Yates' correction, for two classes.
    pub contingency_yates: Option<ChiSquare>,
    reference: Vec<u64>,
    current: Vec<u64>,
}

impl ContingencyTest {
    /// Of the number of images of each class, in the same order in both rows.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the rows differ in length, or one has no image at all.
    pub fn new(reference: &[u64], current: &[u64]) -> Result<Self> {
        check_rows(reference, current)?;
        let rows = [reference, current];
        let expected = expected(rows);
        let classes = occurring(rows);
        let smallest = |row: &Vec<f64>| row.iter().copied().filter(|e| *e > 0.0).reduce(f64::min);
        let min_expected = expected.iter().filter_map(smallest).fold(f64::INFINITY, f64::min);
        let statistic = |correction| statistic(rows, &expected, correction);
        let contingency_yates =
            (classes == 2).then(|| ChiSquare::new(statistic(0.5), classes)).transpose()?;
        Ok(Self {
            min_expected,
            contingency: ChiSquare::new(statistic(0.0), classes)?,
            contingency_yates,
            expected,
            reference: reference.to_vec(),
            current: current.to_vec(),
        })
    }

    /// The current images with which every expected count reaches [`MIN_EXPECTED`], the pooled mix staying as it
    /// is; `None` where the reference's own counts are too small.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and at most five times a total of counts"
    )]
    pub fn images_needed(&self) -> Option<u64> {
        let [of_reference, of_current] = [0, 1].map(|row| {
            let occurring = self.expected[row].iter().copied().filter(|e| *e > 0.0);
            occurring.fold(f64::INFINITY, f64::min)
        });
        let images = total(&self.current) as f64;
        let needed = (images * MIN_EXPECTED / of_current).ceil().max(images);
        (of_reference >= MIN_EXPECTED).then_some(needed as u64)
    }

    /// The goodness-of-fit test, with its expected counts.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where the current images have a class that the reference has not: its expected
    /// count is 0, and no statistic is defined.
    pub fn goodness_of_fit(&self) -> Result<(Vec<f64>, ChiSquare)> {
        let scale = total(&self.current) as f64 / total(&self.reference) as f64;
        let expected: Vec<f64> = self.reference.iter().map(|count| *count as f64 * scale).collect();
        let mut statistic = 0.0;
        for (expected, observed) in expected.iter().zip(&self.current) {
            match (*expected > 0.0, *observed) {
                (true, observed) => statistic += (observed as f64 - expected).powi(2) / expected,
                (false, 0) => {}
                (false, observed) => {
                    let expected = "images of every class that occurs now";
                    let found = format!("0 of a class that occurs {observed} times");
                    return Err(Error::invalid_argument("reference", expected, found));
                }
            }
        }
        let classes = self.reference.iter().filter(|count| **count > 0).count();
        Ok((expected, ChiSquare::new(statistic, classes)?))
    }

    /// The p-value among random divisions of all images into two rows of the same sizes, by the statistics of
    /// [`permuted`]: exact for any counts, in [1/(B + 1), 1]. The same seed gives the same p-value.
    #[must_use]
    pub fn permutation_p_value(&self, permutations: u32, seed: u64) -> f64 {
        permuted::of_images([&self.reference, &self.current], permutations, seed)
    }
}

fn check_rows(reference: &[u64], current: &[u64]) -> Result<()> {
    if reference.len() != current.len() {
        let expected = "as many classes as the reference has";
        return Err(Error::invalid_argument("current", expected, current.len()));
    }
    for (name, row) in [("reference", reference), ("current", current)] {
        let sum = row.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        // So that both totals can be added, too.
        if !sum.is_some_and(|sum| sum > 0 && sum < 1 << 53) {
            let expected = "counts with a sum from 1 to 2^53";
            return Err(Error::invalid_argument(name, expected, format!("{row:?}")));
        }
    }
    Ok(())
}

fn total(row: &[u64]) -> u64 {
    row.iter().sum()
}

/// How many classes occur in either row.
fn occurring([reference, current]: [&[u64]; 2]) -> usize {
    reference.iter().zip(current).filter(|(r, c)| **r + **c > 0).count()
}

fn expected(rows: [&[u64]; 2]) -> [Vec<f64>; 2] {
    let all = (total(rows[0]) + total(rows[1])) as f64;
    rows.map(|row| {
        let images = total(row) as f64;
        rows[0].iter().zip(rows[1]).map(|(r, c)| images * (r + c) as f64 / all).collect()
    })
}

fn statistic(rows: [&[u64]; 2], expected: &[Vec<f64>; 2], correction: f64) -> f64 {
    let cells = |row: usize| rows[row].iter().zip(&expected[row]);
    let cell = |(observed, expected): (&u64, &f64)| {
        let difference = (*observed as f64 - expected).abs();
        (difference - correction.min(difference)).powi(2) / expected
    };
    (0..2).flat_map(cells).filter(|(_, expected)| **expected > 0.0).map(cell).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_neither_row_has_changes_nothing() {
        let without = ContingencyTest::new(&[60, 40], &[30, 30]).unwrap();
        let with = ContingencyTest::new(&[60, 0, 40], &[30, 0, 30]).unwrap();
        assert_eq!(with.contingency, without.contingency);
        assert_eq!(with.contingency_yates, without.contingency_yates);
        assert_eq!(with.min_expected, without.min_expected);
        assert_eq!(with.goodness_of_fit().unwrap().1, without.goodness_of_fit().unwrap().1);
    }

    #[test]
    fn a_new_class_is_for_the_contingency_test_alone() {
        let test = ContingencyTest::new(&[50, 50, 0], &[20, 20, 20]).unwrap();
        assert!(test.contingency.p_value < 0.01 && test.min_expected >= MIN_EXPECTED);
        assert!(test.goodness_of_fit().unwrap_err().to_string().contains("occurs 20 times"));
    }

    #[test]
    fn too_few_images_are_told_with_how_many_it_takes() {
        let few = ContingencyTest::new(&[950, 50], &[38, 2]).unwrap();
        assert!((few.min_expected - 2.0).abs() < 1e-12);
        assert_eq!(few.images_needed(), Some(100));
        let enough = ContingencyTest::new(&[950, 50], &[95, 5]).unwrap();
        assert!(enough.min_expected >= MIN_EXPECTED && enough.contingency.p_value > 0.99);
        // More current images do not mend a reference of three.
        let small = ContingencyTest::new(&[2, 1], &[300, 300]).unwrap();
        assert_eq!(small.images_needed(), None);
    }

    #[test]
    fn one_class_alone_has_not_changed() {
        let test = ContingencyTest::new(&[100], &[10]).unwrap();
        assert_eq!((test.contingency.degrees_of_freedom, test.contingency.p_value), (0, 1.0));
    }

    #[test]
    fn permutations_agree_with_the_hypergeometric_distribution() {
        // Fisher's exact test of [12, 8], [3, 7] has p = 0.2449 (two-sided, by probability), as have
        // permutations by this statistic, since both order these tables alike.
        let test = ContingencyTest::new(&[12, 8], &[3, 7]).unwrap();
        let p = test.permutation_p_value(20_000, 1);
        assert!((p - 0.2449).abs() < 0.012, "{p}");
        assert_eq!(p, test.permutation_p_value(20_000, 1));
        let far = ContingencyTest::new(&[30, 0], &[0, 30]).unwrap();
        assert_eq!(far.permutation_p_value(99, 2), 0.01);
    }

    #[test]
    fn rows_that_cannot_be_compared_are_refused() {
        assert!(ContingencyTest::new(&[1, 2], &[1]).is_err());
        assert!(ContingencyTest::new(&[1, 2], &[0, 0]).is_err());
        assert!(ContingencyTest::new(&[], &[]).is_err());
        assert!(ContingencyTest::new(&[u64::MAX, 2], &[1, 1]).is_err());
    }
}
