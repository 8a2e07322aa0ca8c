//! The middle of weighted values, and how far they are from it: robust against whatever is far away.

/// The median of values, each with its weight, and the median of their distances from it; `None` of no values.
#[must_use]
pub fn median_and_deviation(mut weighted: Vec<(f64, f64)>) -> Option<[f64; 2]> {
    let middle = median(&mut weighted)?;
    for (value, _) in &mut weighted {
        *value = (*value - middle).abs();
    }
    Some([middle, median(&mut weighted)?])
}

/// The smallest value that has, with those below it, half of the weight.
fn median(weighted: &mut [(f64, f64)]) -> Option<f64> {
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = weighted.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let reaches = |(_, weight): &&(f64, f64)| {
        sum += weight;
        sum >= half
    };
    weighted.iter().find(reaches).or(weighted.last()).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_weight_is_not_half_of_the_values() {
        assert_eq!(median_and_deviation(Vec::new()), None);
        let even: Vec<(f64, f64)> = [5.0, 1.0, 2.0, 100.0].map(|value| (value, 1.0)).into();
        assert_eq!(median_and_deviation(even), Some([2.0, 1.0]));
        let heavy = vec![(1.0, 0.1), (2.0, 0.1), (9.0, 1.0)];
        assert_eq!(median_and_deviation(heavy), Some([9.0, 0.0]));
    }
}
