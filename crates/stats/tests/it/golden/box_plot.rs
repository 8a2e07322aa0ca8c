//! Box plots.

use sdd_stats::box_plot::BoxPlot;

use super::{assert_close, cases, golden, list, number, numbers};

#[test]
fn boxes_whiskers_and_fliers() {
    let document = golden("boxplot.json");
    for case in cases(&document) {
        for group in list(case, "groups") {
            let values = numbers(&group["x"]);
            let plot = BoxPlot::new(&values).unwrap();
            for (quantity, found) in [
                ("q1", plot.q1),
                ("median", plot.median),
                ("q3", plot.q3),
                ("iqr", plot.iqr),
                ("mean", plot.mean),
                ("whisker_low", plot.whisker_low),
                ("whisker_high", plot.whisker_high),
            ] {
                let name = format!("{} {}: {quantity}", case["name"], group["group"]);
                let tolerance = &document["tolerance"][quantity];
                assert_close(found, number(&group[quantity]), tolerance, &name);
            }
            assert_eq!(plot.fliers, numbers(&group["fliers"]), "{}", case["name"]);
            assert_eq!(plot.count, values.len());
        }
    }
}
