//! Leaving a group out is what building the store without it would be.

use ndarray::{Array2, Axis};
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;

use crate::support::{Random, folder, store};

const CLASSES: [&str; 2] = ["a", "b"];

struct Rows {
    embeddings: Array2<f32>,
    ids: Vec<String>,
    labels: Vec<&'static str>,
    predicted: Vec<&'static str>,
    groups: Vec<String>,
}

/// Groups of 1 to 40 rows, in which the model takes one row in ten for the other class.
fn draw(random: &mut Random) -> Rows {
    let sizes = [1, 2, 40, 7, 7, 8, 30, 3, 100, 60];
    let mut groups: Vec<String> = Vec::new();
    for (group, size) in sizes.into_iter().enumerate() {
        groups.extend(vec![format!("g{group}"); size]);
    }
    let count = groups.len();
    // A store has the rows of a label together.
    let labels: Vec<&str> = (0..count).map(|row| CLASSES[usize::from(row >= 150)]).collect();
    let predicted = labels.iter().map(|label| {
        let is_other = random.uniform() < 0.1;
        CLASSES[usize::from((*label == "b") != is_other)]
    });
    Rows {
        predicted: predicted.collect(),
        embeddings: random.normal_matrix(count, 6),
        ids: (0..count).map(|row| row.to_string()).collect(),
        labels,
        groups,
    }
}

impl Rows {
    fn reference(&self, rows: &[usize], method: ScoreMethod) -> Reference {
        let folder = folder();
        let embeddings = self.embeddings.select(Axis(0), rows);
        let labels: Vec<&str> = rows.iter().map(|&row| self.labels[row]).collect();
        let store = store(folder.path(), embeddings, Normalization::L2, &labels, &[]);
        Reference::uncalibrated(Box::new(store), Score::new(method, 5).unwrap()).unwrap()
    }

    fn row(&self, row: usize) -> Row<'_> {
        Row {
            id: &self.ids[row],
            label: Some(self.labels[row]),
            predicted_class: Some(self.predicted[row]),
            group: &self.groups[row],
        }
    }
}

#[test]
fn a_row_has_the_score_of_a_query_to_the_other_groups() {
    let rows = draw(&mut Random::new(2));
    let count = rows.ids.len();
    let all: Vec<usize> = (0..count).collect();
    for method in [
        ScoreMethod::Knn,
        ScoreMethod::KnnSameClass,
        ScoreMethod::MeanL1,
        ScoreMethod::MeanL1SameClass,
    ] {
        let reference = rows.reference(&all, method);
        let left_out = reference.leave_one_group_out((0..count).map(|r| rows.row(r)).collect());
        let left_out = left_out.unwrap();
        let mut found = vec![None; count];
        for (row, score) in (0..left_out.blocks()).flat_map(|b| left_out.scores(b).unwrap()) {
            assert_eq!(found[row].replace(score.unwrap()), None, "each row once");
        }
        for group in ["g0", "g2", "g5", "g8"] {
            let others: Vec<usize> = (0..count).filter(|&r| rows.groups[r] != group).collect();
            let without = rows.reference(&others, method);
            for row in (0..count).filter(|&row| rows.groups[row] == group) {
                let values = rows.embeddings.row(row).to_vec();
                let query = Query::new(&values).of_class(rows.predicted[row]);
                let (expected, found) = (without.assess(&query, 0).unwrap().score, found[row]);
                let close = (expected - found.unwrap()).abs() < 1e-5 * expected;
                assert!(close, "{method} {row}: {found:?} {expected}");
            }
        }
    }
}

#[test]
fn what_has_nothing_to_be_compared_with_is_told() {
    let mut rows = draw(&mut Random::new(3));
    let count = rows.ids.len();
    let all: Vec<usize> = (0..count).collect();
    let mahalanobis = rows.reference(&all, ScoreMethod::Mahalanobis);
    let of_rows = || (0..count).map(|row| rows.row(row)).collect::<Vec<_>>();
    let refused = |reference: &Reference, of_rows: Vec<Row<'_>>| {
        reference.leave_one_group_out(of_rows.clone()).err().map(|error| error.code())
    };
    assert_eq!(refused(&mahalanobis, of_rows()), Some("no_group_left_out"));
    let knn = rows.reference(&all, ScoreMethod::Knn);
    assert_eq!(refused(&knn, of_rows()[1..].to_vec()), Some("unequal_batch"));
    let one = Row { group: "one", ..rows.row(0) };
    assert_eq!(refused(&knn, vec![one; count]), Some("one_group"));

    // Class b is of one group alone: what is taken for it there has no score, and elsewhere has one.
    for row in 150..count {
        rows.groups[row] = "b".into();
    }
    for method in [ScoreMethod::KnnSameClass, ScoreMethod::MeanL1SameClass] {
        let reference = rows.reference(&all, method);
        let of_rows = (0..count).map(|row| rows.row(row)).collect();
        let left_out = reference.leave_one_group_out(of_rows).unwrap();
        for (row, score) in (0..left_out.blocks()).flat_map(|b| left_out.scores(b).unwrap()) {
            let has_none = rows.groups[row] == "b" && rows.predicted[row] == "b";
            assert_eq!(score.is_err(), has_none, "{method} {row}");
        }
    }
}
