//! Has the mix of predicted classes changed?
//!
//! A changed mix trips every test of appearance, too, so it is told apart: by the counts of predicted classes, in the
//! reference and now. The p-value is among random divisions of all images into two rows of the same sizes, exact for
//! counts of any size.
//!
//! Two statistics are made of each division. Of a class, c images are current and r are the reference's, t = c + r;
//! q is the share of all images that is current:
//!
//! ```text
//! chi-square:  X² = Σ  (c − q t)²                        / (q (1 − q) t)
//! pairs:       P  = Σ ((c − q t)² − (1 − q)² c − q² r)   / (q (1 − q) t)
//! ```
//!
//! X² is Pearson's. P is X² without what each image adds by itself: what is left are pairs of images of one class,
//! those in one row less those across. A class that one image alone has adds the same to X² in whichever row that image
//! is, but for the size of the rows, and says nothing in P. So where most classes have one image, X² is nearly the same
//! for all divisions, a batch of one class alone included, and P is not; where counts are large they differ little; and
//! where many classes have gone, X² finds it sooner. A division is as far as the more unusual of the two is, by its
//! rank among all divisions: each has the power of the better one, and the p-value stays exact.
//!
//! Where groups of images are exchanged, squares of their counts stand for c, r and t: pairs are of images of
//! different groups.
//!
//! Source: the pairs are the statistic of Bhattacharya and Valiant, “Testing closeness with unequal sized samples”,
//! 2015; the smaller of several ranks is Westfall and Young's, “Resampling-based multiple testing”, 1993.

use fastrand::Rng;

use crate::error::{Error, Result};
use crate::two_sample::Relabeling;

/// Values that differ by less, in parts of the larger, are equal but for the order in which they were summed.
const ROUNDING: f64 = 1e-10;

/// The images of a class in a row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cell {
    /// How many they are.
    pub images: f64,
    /// The sum of the squares of their numbers by group: where each image comes by itself, how many they are.
    pub squares: f64,
}

impl Cell {
    /// Images that come one by one.
    #[must_use]
    pub fn of_images(images: u64) -> Self {
        Self { images: images as f64, squares: images as f64 }
    }

    /// Adds a group with so many images.
    pub fn add_group(&mut self, images: u64) {
        self.images += images as f64;
        self.squares += (images as f64).powi(2);
    }
}

/// How far two rows are apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Distance {
    /// X².
    pub chi_square: f64,
    /// P.
    pub pairs: f64,
}

impl Distance {
    /// Of reference and current row by class. 0 where either has no image.
    #[must_use]
    pub fn between(classes: &[[Cell; 2]]) -> Self {
        let [reference, current] =
            [0, 1].map(|row| classes.iter().map(|rows| rows[row].images).sum::<f64>());
        if reference <= 0.0 || current <= 0.0 {
            return Self::default();
        }
        let share = current / (reference + current);
        classes
            .iter()
            .fold(Self::default(), |sum, rows| sum.plus(Self::of_class(*rows, share), 1.0))
    }

    fn of_class([reference, current]: [Cell; 2], share: f64) -> Self {
        let (images, squares) =
            (reference.images + current.images, reference.squares + current.squares);
        if images <= 0.0 {
            return Self::default();
        }
        let spread = share * (1.0 - share);
        let squared = (current.images - share * images).powi(2);
        let own = (1.0 - share).powi(2) * current.squares + share.powi(2) * reference.squares;
        Self {
            chi_square: squared / (spread * images),
            pairs: (squared - own) / (spread * squares),
        }
    }

    fn plus(self, other: Self, times: f64) -> Self {
        Self {
            chi_square: self.chi_square + times * other.chi_square,
            pairs: self.pairs + times * other.pairs,
        }
    }
}

/// `(1 + #{divisions at least as far}) / (divisions + 1)`: of divisions of which any might have been the observed one.
#[must_use]
pub fn p_value(observed: Distance, divisions: &[Distance]) -> f64 {
    let all: Vec<Distance> = std::iter::once(observed).chain(divisions.iter().copied()).collect();
    let by_chi_square = ranks(&all, |distance| distance.chi_square);
    let by_pairs = ranks(&all, |distance| distance.pairs);
    // The smaller rank decides, and of equal ones the other.
    let far = |(a, b): (&usize, &usize)| (*a.min(b), *a.max(b));
    let all: Vec<_> = by_chi_square.iter().zip(&by_pairs).map(far).collect();
    all.iter().filter(|other| **other <= all[0]).count() as f64 / all.len() as f64
}

/// Of each, how many are at least as large.
fn ranks(all: &[Distance], value: impl Fn(&Distance) -> f64) -> Vec<usize> {
    let mut sorted: Vec<f64> = all.iter().map(&value).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let rank = |distance: &Distance| {
        let own = value(distance);
        let least = own - ROUNDING * own.abs().max(1.0);
        sorted.partition_point(|other| *other >= least)
    };
    all.iter().map(rank).collect()
}

/// The same for images that come one by one, of how many of each class either row has, among as many random divisions
/// as asked for. The same seed gives the same p-value, in [1/(divisions + 1), 1].
///
/// Takes time by the images of the smaller row and memory by those of both.
///
/// # Errors
///
/// [`Error::InvalidArgument`] where the rows differ in length, or one has no image at all.
pub fn p_value_of_images(rows: [&[u64]; 2], divisions: u32, seed: u64) -> Result<f64> {
    check(rows)?;
    let images = |row: &[u64]| row.iter().sum::<u64>();
    // Either row may be the one that is drawn: the statistics do not know which is which.
    let (smaller, larger) =
        if images(rows[0]) < images(rows[1]) { (rows[0], rows[1]) } else { (rows[1], rows[0]) };
    let classes: Vec<u64> = smaller.iter().zip(larger).map(|(a, b)| a + b).collect();
    let share = images(smaller) as f64 / images(&classes) as f64;
    let of_class = |class: usize, drawn: u64| {
        let rest = Cell::of_images(classes[class] - drawn);
        Distance::of_class([rest, Cell::of_images(drawn)], share)
    };
    // As if nothing had been drawn; each class that was is corrected for.
    let none = (0..classes.len()).fold(Distance::default(), |sum, i| sum.plus(of_class(i, 0), 1.0));
    let corrected = |sum: Distance, class: usize, drawn: u64| {
        sum.plus(of_class(class, drawn), 1.0).plus(of_class(class, 0), -1.0)
    };
    let seen = (0..classes.len()).filter(|class| smaller[*class] > 0);
    let observed = seen.fold(none, |sum, class| corrected(sum, class, smaller[class]));

    let mut pooled: Vec<usize> = Vec::new();
    for (class, count) in classes.iter().enumerate() {
        pooled.extend((0..*count).map(|_| class));
    }
    let (mut random, mut counts) = (Rng::with_seed(seed), vec![0_u64; classes.len()]);
    let drawn = pooled.len() - usize::try_from(images(larger)).unwrap_or(pooled.len());
    let mut relabeling = Relabeling::new(pooled, drawn);
    let draw = |_| {
        let drawn = relabeling.draw(&mut random);
        for &class in drawn {
            counts[class] += 1;
        }
        drawn.iter().fold(none, |sum, &class| {
            // Each class once.
            match std::mem::take(&mut counts[class]) {
                0 => sum,
                count => corrected(sum, class, count),
            }
        })
    };
    let divided: Vec<Distance> = (0..divisions).map(draw).collect();
    Ok(p_value(observed, &divided))
}

fn check([reference, current]: [&[u64]; 2]) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn p_value_of(reference: &[u64], current: &[u64], seed: u64) -> f64 {
        p_value_of_images([reference, current], 999, seed).unwrap()
    }

    fn only(class: usize, of: usize, images: u64) -> Vec<u64> {
        let mut row = vec![0; of];
        row[class] = images;
        row
    }

    /// Multinomial, by weights.
    fn drawn(weights: &[f64], images: usize, random: &mut Rng) -> Vec<u64> {
        let all: f64 = weights.iter().sum();
        let mut row = vec![0; weights.len()];
        for _ in 0..images {
            let mut left = random.f64() * all;
            let class = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            row[class.unwrap_or(weights.len() - 1)] += 1;
        }
        row
    }

    #[test]
    fn pairs_are_the_statistic_without_single_images() {
        let (reference, current) = ([30, 1, 0, 9], [5, 0, 1, 14]);
        let cells: Vec<_> =
            reference.iter().zip(current).map(|(r, c)| [*r, c].map(Cell::of_images)).collect();
        let distance = Distance::between(&cells);
        // The two classes of one image change the share of the rows, and nothing else.
        let q: f64 = 20.0 / 60.0;
        let pairs = |c: f64, r: f64| {
            ((1.0 - q).powi(2) * c * (c - 1.0) + q.powi(2) * r * (r - 1.0)
                - 2.0 * q * (1.0 - q) * c * r)
                / (q * (1.0 - q) * (c + r))
        };
        let expected = pairs(5.0, 30.0) + pairs(14.0, 9.0);
        assert!((distance.pairs - expected).abs() < 1e-12, "{distance:?}");
        assert_eq!(
            Distance::between(&[[Cell::default(), Cell::of_images(3)]]),
            Distance::default()
        );
    }

    /// Of each class one held-out image: Pearson's statistic says p = 0.13 and 0.94.
    #[test]
    fn one_class_alone_is_found_among_a_thousand_of_one_image_each() {
        let reference = [1; 1000];
        for images in [60, 20] {
            assert_eq!(p_value_of(&reference, &only(7, 1000, images), 1), 0.001, "{images}");
        }
        let twice: Vec<u64> = (0..1000).map(|class| if class < 30 { 2 } else { 0 }).collect();
        assert_eq!(p_value_of(&reference, &twice, 1), 0.001);
        // In whichever row it is, and where the class is a new one.
        assert_eq!(p_value_of(&only(7, 1000, 60), &reference, 1), 0.001);
        let reference: Vec<u64> = (0..1001).map(|class| u64::from(class < 1000)).collect();
        assert_eq!(p_value_of(&reference, &only(1000, 1001, 20), 1), 0.001);
        // No two images of a class: nothing can be said.
        let halves =
            |first: bool| -> Vec<u64> { (0..100).map(|i| u64::from((i < 60) == first)).collect() };
        assert_eq!(p_value_of(&halves(true), &halves(false), 1), 1.0);
    }

    #[test]
    fn many_classes_that_have_gone_are_found() {
        // Of 50 classes with 20 images each, 60 that are each alone.
        let reference: Vec<u64> = (0..110).map(|class| if class < 50 { 20 } else { 0 }).collect();
        let current: Vec<u64> = (0..110).map(|class| u64::from(class >= 50)).collect();
        assert!(p_value_of(&reference, &current, 1) <= 0.002);
    }

    #[test]
    fn false_alarms_are_as_rare_as_stated_and_changes_of_few_classes_are_found() {
        let mut random = Rng::with_seed(5);
        let mut rate = |weights: [&[f64]; 2], images: [usize; 2]| {
            let alarms = (0..200).filter(|seed| {
                let [reference, current] =
                    [0, 1].map(|row| drawn(weights[row], images[row], &mut random));
                p_value_of_images([&reference, &current], 199, *seed).unwrap() <= 0.05
            });
            alarms.count()
        };
        let zipf: Vec<f64> = (1..=300).map(|rank| 1.0 / f64::from(rank)).collect();
        // 10 of 200 expected; more than 22 with a probability of 0.01 %.
        for images in [[300, 60], [64, 300], [60, 60]] {
            let found = rate([&zipf, &zipf], images);
            assert!(found <= 22, "{found} {images:?}");
            let found = rate([&[0.14, 0.86], &[0.14, 0.86]], images);
            assert!(found <= 22, "{found} {images:?}");
        }
        // By Pearson's statistic alone 67 and 72 of 100, and by these 69 and 70.
        let found = rate([&[0.14, 0.86], &[0.28, 0.72]], [64, 500]);
        assert!(found >= 115, "{found}");
        let found = rate([&[0.14, 0.86], &[0.28, 0.72]], [360, 60]);
        assert!(found >= 115, "{found}");
    }

    #[test]
    fn permutations_agree_with_the_hypergeometric_distribution() {
        // Fisher's exact test of [12, 8], [3, 7] has p = 0.2449 (two-sided, by probability), as have
        // permutations by this statistic, since both order these tables alike.
        let p_value = |seed| p_value_of_images([&[12, 8], &[3, 7]], 20_000, seed).unwrap();
        assert!((p_value(1) - 0.2449).abs() < 0.012, "{}", p_value(1));
        assert_eq!(p_value(1), p_value(1));
        assert_eq!(p_value_of(&[30, 0], &[0, 30], 2), 0.001);
    }

    #[test]
    fn rows_that_cannot_be_compared_are_refused() {
        for rows in [[&[1, 2][..], &[1]], [&[1, 2], &[0, 0]], [&[], &[]], [&[u64::MAX, 2], &[1, 1]]]
        {
            assert!(p_value_of_images(rows, 9, 0).is_err(), "{rows:?}");
        }
    }

    #[test]
    fn groups_that_bring_their_own_class_say_nothing_by_themselves() {
        let group = |images: u64| {
            let mut cell = Cell::default();
            cell.add_group(images);
            cell
        };
        // Each class has one group of five: in whichever row.
        let alone: Vec<_> = (0..40)
            .map(|class| {
                let rows = [group(5), Cell::default()];
                if class < 10 { [rows[1], rows[0]] } else { rows }
            })
            .collect();
        assert!(Distance::between(&alone).pairs.abs() < 1e-12);
        let mut together = alone;
        (0..9).for_each(|_| together[0][1].add_group(5));
        assert!(Distance::between(&together).pairs > 5.0);
    }
}
