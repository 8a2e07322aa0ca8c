//! Unit tests of [`FlatIndex`].

use super::*;
use ndarray::{Array2, array};

#[test]
fn an_empty_index_answers_with_nothing() -> Result<()> {
    let index = FlatIndex::from_rows(Array2::zeros((0, 3)).view())?;
    assert!(index.is_empty());
    assert_eq!(index.rows().dim(), (0, 3));
    assert_eq!(index.search(Array2::zeros((2, 3)).view(), 5)?, vec![vec![], vec![]]);
    Ok(())
}

#[test]
fn what_cannot_be_compared_is_refused() -> Result<()> {
    assert!(matches!(FlatIndex::new(0), Err(Error::DimensionOutOfRange { found: 0 })));
    assert!(FlatIndex::new(MAX_DIMENSION + 1).is_err());
    let index = FlatIndex::from_rows(array![[0.0, 1.0]].view())?;
    let two = array![[0.0, 1.0]];
    assert!(matches!(index.search(two.view(), 0), Err(Error::ZeroNeighbors)));
    for wrong in [1, 3, 4] {
        let queries = Array2::zeros((1, wrong));
        assert!(matches!(
            index.search(queries.view(), 1),
            Err(Error::DimensionMismatch { expected: 2, found, .. }) if found == wrong
        ));
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let queries = array![[0.0, bad]];
        assert!(matches!(index.search(queries.view(), 1), Err(Error::NotFinite { .. })));
        assert!(FlatIndex::from_rows(queries.view()).is_err());
    }
    let far = array![[0.0, 1e30]];
    assert!(matches!(index.search(far.view(), 1), Err(Error::NormTooLarge { .. })));
    Ok(())
}

#[test]
fn the_farthest_accepted_rows_are_found() -> Result<()> {
    let far = 6.4e18;
    let index = FlatIndex::from_rows(array![[far], [-far]].view())?;
    let found = &index.search(array![[far]].view(), 9)?[0];
    assert_eq!(found.iter().map(|n| n.row).collect::<Vec<_>>(), [0, 1]);
    assert!(found[1].distance_squared.is_finite());
    Ok(())
}

#[test]
fn ties_go_to_the_earlier_row_however_many_there_are() -> Result<()> {
    // 5000 equal rows behind one that is nearer: FAISS changes its selection method at k = 100.
    let mut rows = Array2::from_elem((5001, 4), 1.0_f32);
    rows.row_mut(4321).fill(0.5);
    let index = FlatIndex::from_rows(rows.view())?;
    for k in [1, 2, 3, 99, 100, 101, 700, 5000, 5001, 9999] {
        let found = &index.search(Array2::zeros((1, 4)).view(), k)?[0];
        let mut expected = vec![4321];
        expected.extend((0..5001).filter(|&row| row != 4321));
        expected.truncate(k);
        assert_eq!(found.iter().map(|n| n.row).collect::<Vec<_>>(), expected, "k = {k}");
    }
    Ok(())
}

#[test]
fn a_view_that_is_not_contiguous_is_read_in_its_own_order() -> Result<()> {
    let columns = array![[1.0_f32, 3.0, 9.0], [2.0, 4.0, 9.0]];
    let rows = columns.t();
    let index = FlatIndex::from_rows(rows.slice(ndarray::s![..2, ..]))?;
    assert_eq!(index.rows(), array![[1.0, 2.0], [3.0, 4.0]]);
    let reversed = array![[4.0_f32, 3.0]];
    let found = index.search(reversed.slice(ndarray::s![.., ..;-1]), 1)?;
    assert_eq!(found[0], [RowDistance { row: 1, distance_squared: 0.0 }]);
    Ok(())
}

#[test]
fn an_index_can_be_shared_between_threads() -> Result<()> {
    let index = FlatIndex::from_rows(array![[0.0, 0.0], [1.0, 1.0]].view())?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                limit_threads(1);
                for _ in 0..100 {
                    let found = index.search(array![[1.0, 1.0]].view(), 1);
                    assert!(matches!(found.as_deref(), Ok([n]) if n[0].row == 1));
                }
            });
        }
    });
    Ok(())
}

#[test]
fn a_tie_is_whole_only_if_something_farther_was_found_or_nothing_is_left() -> Result<()> {
    let index = FlatIndex::from_rows(Array2::zeros((4, 1)).view())?;
    let found = |distances: &[f32]| {
        let rows = distances.iter().enumerate();
        rows.map(|(row, &distance_squared)| RowDistance { row, distance_squared })
            .collect::<Vec<_>>()
    };
    assert!(index.cuts_a_tie(&found(&[1.0, 2.0, 2.0]), 2));
    assert!(!index.cuts_a_tie(&found(&[1.0, 2.0, 3.0]), 2));
    assert!(!index.cuts_a_tie(&found(&[1.0, 1.0, 2.0]), 2));
    assert!(!index.cuts_a_tie(&found(&[1.0, 2.0, 2.0, 2.0]), 2));
    Ok(())
}

/// Numbers that repeat, so that rows tie within blocks and across their borders.
fn repeating(rows: usize, dimension: usize, values: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, dimension), |(row, column)| {
        ((row * 7 + column * 13 + row / 11) % values) as f32 / 3.0
    })
}

#[test]
fn many_queries_get_the_answers_that_they_get_alone() -> Result<()> {
    for (dimension, values) in [(4, 5), (64, 1009), (513, 3)] {
        let block_rows = BLOCK_BYTES / (4 * dimension);
        let rows = repeating(2 * block_rows + block_rows / 3, dimension, values);
        let index = FlatIndex::from_rows(rows.view())?;
        let queries = repeating(MANY_QUERIES + 1, dimension, 2 * values);
        for k in [1, 7] {
            let together = index.search(queries.view(), k)?;
            for (query, together) in queries.outer_iter().zip(together) {
                let alone = index.search(query.insert_axis(Axis(0)), k)?;
                assert_eq!(alone[0], together);
            }
        }
    }
    Ok(())
}
