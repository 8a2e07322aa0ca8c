use ndarray::{Array2, array, concatenate};

use super::*;

/// Two classes of correlated numbers without a pattern: `count` rows each.
fn classes(count: usize, dimension: usize) -> Vec<Array2<f32>> {
    let value = |class: usize, i: usize, j: usize| {
        let noise = ((i * 7919 + j * 104_729 + i * j * 31 + class * 613) % 1009) as f32 / 1009.0;
        let shared = ((i * 31 + class * 17) % 101) as f32 / 101.0;
        noise + shared * (j % 3) as f32 + if j == class { 2.0 } else { 0.0 }
    };
    (0..2)
        .map(|class| Array2::from_shape_fn((count, dimension), |(i, j)| value(class, i, j)))
        .collect()
}

/// By the definition, with an inverse by Gauss and Jordan.
fn by_definition(classes: &[Array2<f32>], query: &[f32], intensity: f64) -> f64 {
    let views: Vec<_> = classes.iter().map(|class| class.mapv(f64::from)).collect();
    let all =
        concatenate(Axis(0), &views.iter().map(|rows| rows.view()).collect::<Vec<_>>()).unwrap();
    let query = Array1::from_iter(query.iter().map(|x| f64::from(*x)));
    let centered = |rows: &Array2<f64>| rows - &rows.mean_axis(Axis(0)).unwrap();
    let within: Vec<_> = views.iter().map(centered).collect();
    let within =
        concatenate(Axis(0), &within.iter().map(|rows| rows.view()).collect::<Vec<_>>()).unwrap();
    let shrunk = |rows: &Array2<f64>| {
        let s = rows.t().dot(rows) / rows.nrows() as f64;
        let target = s.diag().sum() / s.nrows() as f64;
        &s * (1.0 - intensity) + Array2::<f64>::eye(s.nrows()) * (intensity * target)
    };
    let distance = |covariance: &Array2<f64>, rows: &Array2<f64>| {
        let difference = &query - &rows.mean_axis(Axis(0)).unwrap();
        difference.dot(&gauss_jordan(covariance.clone()).dot(&difference))
    };
    let shared = shrunk(&within);
    let nearest = views.iter().map(|rows| distance(&shared, rows)).fold(f64::INFINITY, f64::min);
    nearest - distance(&shrunk(&centered(&all)), &all)
}

fn gauss_jordan(mut a: Array2<f64>) -> Array2<f64> {
    let size = a.nrows();
    let mut inverse = Array2::eye(size);
    for i in 0..size {
        let pivot = a[[i, i]];
        for matrix in [&mut a, &mut inverse] {
            matrix.row_mut(i).map_inplace(|value| *value /= pivot);
        }
        for other in (0..size).filter(|other| *other != i) {
            let factor = a[[other, i]];
            for matrix in [&mut a, &mut inverse] {
                let row = matrix.row(i).to_owned();
                matrix.row_mut(other).scaled_add(-factor, &row);
            }
        }
    }
    inverse
}

#[test]
fn few_and_many_images_give_what_the_definition_gives() {
    // 2N below, at and above D = 24: by images, by images, by values twice.
    for count in [3, 6, 7, 40] {
        let classes = classes(count, 24);
        let fitted = RelativeMahalanobis::new(&classes).unwrap();
        assert!((0.0..=1.0).contains(&fitted.shrinkage()));
        for query in [classes[0].row(0).to_vec(), vec![0.5; 24], vec![-9.0; 24]] {
            let found = fitted.score(&query).unwrap();
            let expected = by_definition(&classes, &query, fitted.shrinkage());
            let off = (found - expected).abs();
            assert!(off < 1e-8 * (1.0 + expected.abs()), "{count}: {found} {expected}");
        }
    }
}

#[test]
fn far_away_is_strange_however_far_apart_the_classes_are() {
    for distance in [0.0, 10.0, 1e3] {
        let mut classes = classes(5, 30);
        classes[1].column_mut(2).map_inplace(|value| *value += distance);
        let fitted = RelativeMahalanobis::new(&classes).unwrap();
        let known = fitted.score(&classes[0].row(0).to_vec()).unwrap();
        for direction in 0..30 {
            let mut query = classes[0].row(0).to_vec();
            query[direction] += 1e6;
            assert!(fitted.score(&query).unwrap() > known, "{distance} {direction}");
        }
    }
}

#[test]
fn the_score_can_be_negative_and_is_smaller_beside_a_class_than_between() {
    let classes = [
        array![[0.0_f32, 0.0], [1.0, 0.5], [0.5, 1.0]],
        array![[9.0, 9.0], [9.5, 8.0], [8.0, 9.5]],
    ];
    let fitted = RelativeMahalanobis::new(&classes).unwrap();
    let (beside, between) =
        (fitted.score(&[0.5, 0.5]).unwrap(), fitted.score(&[4.5, 4.5]).unwrap());
    assert!(beside < 0.0 && beside < between, "{beside} {between}");
}

#[test]
fn the_same_rows_give_the_same_bits() {
    for count in [5, 50] {
        let classes = classes(count, 40);
        let score = || RelativeMahalanobis::new(&classes).unwrap().score(&[0.3; 40]).unwrap();
        assert_eq!(score().to_bits(), score().to_bits());
    }
}

#[test]
fn classes_without_rows_are_left_out() {
    let mut three = classes(5, 6);
    let expected = RelativeMahalanobis::new(&three).unwrap().score(&[0.3; 6]).unwrap();
    three.insert(1, Array2::zeros((0, 6)));
    assert_eq!(RelativeMahalanobis::new(&three).unwrap().score(&[0.3; 6]).unwrap(), expected);
}

#[test]
fn what_has_no_gaussians_is_refused() {
    let code = |classes: &[Array2<f32>]| RelativeMahalanobis::new(classes).unwrap_err().code();
    assert_eq!(code(&[]), "too_few_classes");
    assert_eq!(code(&classes(5, 6)[..1]), "too_few_classes");
    assert_eq!(code(&[array![[1.0, 2.0]], array![[3.0, 4.0]]]), "no_spread");
    assert_eq!(code(&[array![[1.0, 2.0]], array![[3.0]]]), "wrong_dimension");
    assert_eq!(code(&[array![[1.0, f32::NAN]], array![[3.0, 4.0]]]), "not_finite");
    let fitted = RelativeMahalanobis::new(&classes(5, 6)).unwrap();
    assert_eq!(fitted.score(&[1.0]).unwrap_err().code(), "wrong_dimension");
    assert_eq!(fitted.score(&[f32::NAN; 6]).unwrap_err().code(), "not_finite");
}
