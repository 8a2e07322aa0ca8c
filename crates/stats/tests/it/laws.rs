//! What holds of the statistics for all inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use sdd_stats::box_plot::BoxPlot;
use sdd_stats::conformal::ConditionalRate;
use sdd_stats::contingency::ContingencyTest;
use sdd_stats::sequential::e_process::EProcessPath;
use sdd_stats::sequential::{
    Cusum, CusumDesign, Guarantee, SequentialTest, WindowTest, clopper_pearson,
};

/// The mean of `statistic` over all streams of `length` images, each out of distribution with probability `rate`.
fn expectation(length: u32, rate: f64, statistic: impl Fn(&[bool]) -> f64) -> f64 {
    let streams = 0..1_u32 << length;
    let weighted = streams.map(|bits| {
        let stream: Vec<bool> = (0..length).map(|i| bits >> i & 1 == 1).collect();
        let probability = |x: &bool| if *x { rate } else { 1.0 - rate };
        stream.iter().map(probability).product::<f64>() * statistic(&stream)
    });
    weighted.sum()
}

fn sequential(level: f64) -> SequentialTest {
    SequentialTest::new(Guarantee::of_known_rate(level, 0.05).unwrap())
}

fn e_value(level: f64, stream: &[bool]) -> f64 {
    let mut test = sequential(level);
    for image in stream {
        test.observe(*image);
    }
    test.e_value()
}

#[test]
fn the_sequential_test_makes_no_money_without_drift_in_exact_expectation() {
    for level in [0.01, 0.05, 0.0745, 0.3, 0.9] {
        let fair = expectation(12, level, |stream| e_value(level, stream));
        assert!((fair - 1.0).abs() <= 1e-12, "level {level}: {fair}");
        let below = expectation(12, 0.7 * level, |stream| e_value(level, stream));
        assert!(below <= 1.0 + 1e-12, "level {level}: {below}");
        // Ville: of all streams, a share of at most 1/c ever reaches c.
        for c in [1.5, 3.0, 10.0] {
            let ever = expectation(12, level, |stream| {
                let mut test = sequential(level);
                for image in stream {
                    test.observe(*image);
                }
                f64::from(test.largest() >= c)
            });
            assert!(ever <= 1.0 / c + 1e-12, "level {level}: {ever} reach {c}");
        }
    }
}

#[test]
fn no_predictable_bets_make_money_without_drift() {
    // Bets that rise after each image out of distribution: the past decides, never the outcome.
    let level = 0.1;
    let mean = expectation(12, level, |stream| {
        let outcomes: Vec<f64> = stream.iter().map(|image| f64::from(*image)).collect();
        let bets: Vec<f64> = (0..stream.len())
            .map(|t| (1.0 + outcomes[..t].iter().sum::<f64>()).min(1.0 / level))
            .collect();
        EProcessPath::new(level, &bets, &outcomes).unwrap().wealth().last().unwrap()
    });
    assert!((mean - 1.0).abs() <= 1e-12, "{mean}");
}

proptest! {
    #[test]
    fn a_window_alarms_exactly_from_its_cutoff_on(
        n_cal in 19_usize..400, alpha in 0.051..0.5_f64, window in 1_usize..300,
        size in 0.001..0.3_f64, count in 0_usize..300,
    ) {
        let count = count.min(window);
        let test = WindowTest::new(n_cal, alpha, window).unwrap();
        let (p_value, cutoff) = (test.upper_tail(count), test.cutoff(size));
        prop_assert!(p_value > 0.0 && p_value <= 1.0);
        prop_assert_eq!(p_value <= size, count >= cutoff);
        prop_assert!(test.upper_tail(cutoff) <= size && test.upper_tail(cutoff - 1) > size);
        let share = count as f64 / window as f64;
        let interval = clopper_pearson(count, window, 0.05).unwrap();
        prop_assert!(0.0 <= interval.low && interval.low <= share);
        prop_assert!(share <= interval.high && interval.high <= 1.0);
        // More strange images are never less significant.
        prop_assert!(count == 0 || test.upper_tail(count) <= test.upper_tail(count - 1));
    }

    #[test]
    fn the_mean_of_a_window_is_its_calibrations(
        n_cal in 19_usize..2000, alpha in 0.051..0.9_f64, window in 1_usize..500,
    ) {
        // Σ P(K ≥ k) over k ≥ 1 is the mean.
        let rate = ConditionalRate::new(n_cal, alpha).unwrap();
        let count = rate.count_in_window(window).unwrap();
        let mean: f64 = (1..=window).map(|k| count.upper_tail(k)).sum();
        let expected = window as f64 * rate.mean();
        prop_assert!((mean / expected - 1.0).abs() < 1e-10, "{} {}", mean, expected);
    }

    #[test]
    fn an_interval_is_the_mirror_of_its_complement(
        n in 1_usize..5000, share in 0.0..=1.0_f64, alpha in 1e-6..0.9_f64,
    ) {
        let count = (0..=n).find(|count| *count as f64 >= share * n as f64).unwrap();
        let interval = clopper_pearson(count, n, alpha).unwrap();
        let mirror = clopper_pearson(n - count, n, alpha).unwrap();
        prop_assert!(interval.low <= count as f64 / n as f64);
        prop_assert!(interval.high >= count as f64 / n as f64);
        prop_assert!((interval.low - (1.0 - mirror.high)).abs() < 1e-9);
        prop_assert!((interval.high - (1.0 - mirror.low)).abs() < 1e-9);
    }

    #[test]
    fn sequential_p_values_are_in_the_unit_interval_and_never_rise(
        level in 0.001..0.99_f64, stream in vec(any::<bool>(), 1..300),
    ) {
        let mut test = sequential(level);
        let mut last = 1.0;
        for image in stream {
            let bet = test.next_bet();
            prop_assert!(bet >= 0.0 && bet <= (1.0 + 1e-12) / level);
            test.observe(image);
            prop_assert!(test.e_value() > 0.0 && test.e_value() <= test.largest());
            prop_assert!(test.p_value() > 0.0 && test.p_value() <= last);
            prop_assert_eq!(test.alarmed(), test.largest() >= 20.0);
            last = test.p_value();
        }
    }

    #[test]
    fn one_more_strange_image_never_calms(
        level in 0.01..0.5_f64, stream in vec(any::<bool>(), 1..100), place in 0_usize..100,
    ) {
        let mut stranger = stream.clone();
        stranger[place % stream.len()] = true;
        prop_assert!(e_value(level, &stranger) >= e_value(level, &stream) * (1.0 - 1e-12));
        let cusum = Cusum::new(level, level.sqrt(), 5.0).unwrap();
        let [less, more] = [stream, stranger].map(|stream| cusum.path(stream));
        prop_assert!(more.iter().zip(&less).all(|(more, less)| *more >= less - 1e-12));
    }

    #[test]
    fn a_cusum_design_keeps_the_stated_run_length(
        p0 in 0.005..0.3_f64, factor in 1.5..4.0_f64, stated in 2.5..5.0_f64,
    ) {
        let (p1, stated) = ((p0 * factor).min(0.95), 10_f64.powf(stated));
        let design = CusumDesign::for_run_length(p0, p1, stated).unwrap();
        prop_assert!(design.run_length >= stated);
        prop_assert!(stated < 1e4 || design.run_length <= 1.1 * stated);
        prop_assert!(design.tuned_p1 > p0 && design.tuned_p1 <= p1);
        prop_assert!(design.mean_delay < design.run_length);
        // The smallest such threshold.
        let smaller = CusumDesign::of_threshold(p0, design.tuned_p1, design.threshold * (1.0 - 1e-6)).unwrap();
        prop_assert!(smaller.run_length < stated);
    }

    #[test]
    fn class_mix_p_values_are_in_the_unit_interval_whatever_the_order(
        rows in vec((0_u64..300, 0_u64..100), 2..8), seed in any::<u64>(),
    ) {
        let (mut reference, mut current): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
        reference[0] += 1;
        current[0] += 1;
        let test = ContingencyTest::new(&reference, &current).unwrap();
        reference.reverse();
        current.reverse();
        let reversed = ContingencyTest::new(&reference, &current).unwrap();
        let p_value = test.contingency.p_value;
        prop_assert!(p_value > 0.0 && p_value <= 1.0);
        prop_assert!((p_value - reversed.contingency.p_value).abs() < 1e-9);
        prop_assert!((test.min_expected - reversed.min_expected).abs() < 1e-9);
        let permuted = test.permutation_p_value(19, seed);
        prop_assert!((1.0 / 20.0..=1.0).contains(&permuted));
        let same = ContingencyTest::new(&reference, &reference).unwrap().contingency;
        prop_assert!(same.statistic < 1e-9 && same.p_value > 0.99);
    }

    #[test]
    fn a_box_is_in_order_and_loses_no_value(values in vec(-1e3..1e3_f64, 1..200)) {
        let plot = BoxPlot::new(&values).unwrap();
        let ends = [plot.whisker_low, plot.q1, plot.median, plot.q3, plot.whisker_high];
        prop_assert!(ends.is_sorted());
        let inside = values.iter().filter(|v| (plot.whisker_low..=plot.whisker_high).contains(*v));
        prop_assert_eq!(inside.count() + plot.fliers.len(), values.len());
    }
}
