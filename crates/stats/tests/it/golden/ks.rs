//! `ks.json`: Kolmogorov–Smirnov by scipy, adjusted p-values by statsmodels.

use sdd_stats::two_sample::kolmogorov_smirnov::KolmogorovSmirnov;
use sdd_stats::two_sample::multiple_testing::bonferroni;
use serde_json::Value;

use super::{assert_close, cases, golden, matrix, number, numbers};

/// Compares Bonferroni's adjustment, and what it rejects, with those of these p-values.
fn assert_adjusted(given: &Value, alpha: f64, document: &Value, what: &str) {
    let adjusted = bonferroni(&numbers(&given["p"]));
    let tolerance = &document["tolerance"]["adjusted"];
    let rejects = given["bonferroni_reject"].as_array().unwrap();
    let expected = numbers(&given["bonferroni"]);
    assert_eq!(adjusted.len(), expected.len());
    for (i, (found, expected)) in adjusted.into_iter().zip(expected).enumerate() {
        assert_close(found, expected, tolerance, &format!("{what} {i}"));
        assert_eq!(found <= alpha, rejects[i] == true, "{what} {i}");
    }
}

#[test]
fn two_samples() {
    let document = golden("ks.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let name = case["name"].as_str().unwrap();
        let test = KolmogorovSmirnov::new(&numbers(&case["x"]), &numbers(&case["y"])).unwrap();
        let close = |found, field: &str| {
            assert_close(
                found,
                number(&case[field]),
                &tolerance[field],
                &format!("{name} {field}"),
            );
        };
        close(test.statistic(), "statistic");
        close(test.p_exact(), "p_exact_tie_aware");
        if case["has_ties"] == false {
            // What scipy calls exact.
            close(test.p_exact(), "p_exact");
        }
        close(test.p_kolmogorov_limit(), "p_kolmogorov_limit");
        assert_eq!(test.p_value(), test.p_exact());
    }
}

#[test]
fn every_column_and_their_adjustment() {
    let document = golden("ks.json");
    let (multi, tolerance) = (&document["multi"], &document["tolerance"]);
    let (reference, current) = (matrix(&multi["reference"]), matrix(&multi["current"]));
    for column in 0..reference.ncols() {
        let values = |rows: &ndarray::Array2<f32>| -> Vec<f64> {
            rows.column(column).iter().copied().map(f64::from).collect()
        };
        let (x, y) = (values(&reference), values(&current));
        let test = KolmogorovSmirnov::new(&x, &y).unwrap();
        for (found, field) in
            [(test.statistic(), "statistic"), (test.p_kolmogorov_limit(), "p_kolmogorov_limit")]
        {
            let what = format!("column {column} {field}");
            assert_close(found, number(&multi[field][column]), &tolerance[field], &what);
        }
        // Scipy takes equal values for different ones, which makes p too large.
        let (found, expected) = (test.p_exact(), number(&multi["p"][column]));
        let mut pooled = [x, y].concat();
        pooled.sort_by(f64::total_cmp);
        if pooled.windows(2).any(|pair| pair[0] == pair[1]) {
            assert!(found <= expected * (1.0 + 1e-12), "column {column}: {found} {expected}");
        } else {
            assert_close(found, expected, &tolerance["p_exact"], &format!("column {column}"));
        }
    }
    let alpha = number(&multi["alpha"]);
    assert_adjusted(multi, alpha, &document, "multi");
    for (i, list) in document["adjust"].as_array().unwrap().iter().enumerate() {
        assert_adjusted(list, 0.05, &document, &format!("adjust {i}"));
    }
}
