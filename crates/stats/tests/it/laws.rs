//! What holds of the statistics for all inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use sdd_stats::box_plot::BoxPlot;
use sdd_stats::contingency::{Cell, Distance, p_value_of_images};
use sdd_stats::interval::clopper_pearson;

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
        let chi_square = |rows: [&[u64]; 2]| {
            let cells = rows[0].iter().zip(rows[1]).map(|(a, b)| [*a, *b].map(Cell::of_images));
            Distance::between(&cells.collect::<Vec<_>>()).chi_square
        };
        let found = chi_square([&reference, &current]);
        let permuted = p_value_of_images([&reference, &current], 19, seed).unwrap();
        prop_assert!((1.0 / 20.0..=1.0).contains(&permuted));
        reference.reverse();
        current.reverse();
        prop_assert!(found >= 0.0);
        prop_assert!((found - chi_square([&reference, &current])).abs() <= 1e-9 * (1.0 + found));
        prop_assert!(chi_square([&reference, &reference]) < 1e-9);
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
