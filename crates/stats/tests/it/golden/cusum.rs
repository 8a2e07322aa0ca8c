//! CUSUM. Of `detectors.json`; the other detectors of that file are peers of the benchmarks.

use sdd_stats::sequential::Cusum;

use super::{assert_all_close, assert_close, golden, list, number, numbers, optional_count};

#[test]
fn bernoulli_cusum() {
    let document = golden("detectors.json");
    let tolerance = &document["tolerance"]["path"];
    for case in list(&document, "bernoulli_cusum") {
        let [p0, p1, h] = ["p0", "p1", "h"].map(|name| number(&case[name]));
        let name = format!("p0 {p0} p1 {p1} h {h}");
        let images: Vec<bool> = numbers(&case["x"]).into_iter().map(|x| x == 1.0).collect();
        let mut cusum = Cusum::new(p0, p1, h).unwrap();
        assert_close(cusum.step_one(), number(&case["step_one"]), tolerance, &name);
        assert_close(cusum.step_zero(), number(&case["step_zero"]), tolerance, &name);
        assert_all_close(cusum.path(images.iter().copied()), &case["path"], tolerance, &name);
        let crossing = images.iter().position(|image| cusum.observe(*image));
        assert_eq!(crossing, optional_count(&case["first_crossing"]), "{name}");
    }
}
