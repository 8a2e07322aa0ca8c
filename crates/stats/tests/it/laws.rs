//! What holds of the statistics for all inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use sdd_stats::box_plot::BoxPlot;
use sdd_stats::contingency::ContingencyTest;
use sdd_stats::sequential::clopper_pearson;

proptest! {
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
