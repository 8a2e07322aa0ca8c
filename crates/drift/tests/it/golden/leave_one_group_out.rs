//! Scores of a reference's own images among those of other groups: `leave_one_group_out.json`.

use ndarray::{Array2, Axis};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Calibration, GroupBy, Query, Reference, Score, ScoreMethod};
use sdd_index::Normalization;

use super::{assert_all_close, cases, count, golden, list, matrix, numbers};
use crate::support::{folder, store};

fn reference(rows: Array2<f32>, k: usize) -> Reference {
    let folder = folder();
    let store = store(folder.path(), rows, Normalization::L2, &[], &[]);
    Reference::uncalibrated(Box::new(store), Score::new(ScoreMethod::Knn, k).unwrap()).unwrap()
}

fn scores(reference: &Reference, queries: &Array2<f32>) -> Vec<f64> {
    let score = |row: ndarray::ArrayView1<'_, f32>| {
        reference.assess(&Query::new(&row.to_vec()), 0).unwrap().score
    };
    queries.rows().into_iter().map(score).collect()
}

#[test]
fn scores_and_p_values_of_left_out_groups() {
    let document = golden("leave_one_group_out.json");
    let tolerance = &document["tolerance"];
    for case in cases(&document) {
        let (name, k) = (case["name"].as_str().unwrap(), count(&case["k"]));
        let (rows, queries) = (matrix(&case["rows"]), matrix(&case["queries"]));
        let groups: Vec<String> = list(case, "groups").iter().map(ToString::to_string).collect();
        let ids: Vec<String> = (0..rows.nrows()).map(|row| row.to_string()).collect();
        let all = reference(rows.clone(), k);
        let row = |(id, group)| Row { id, group, label: None, predicted_class: None };
        let of_rows = ids.iter().map(String::as_str).zip(groups.iter().map(String::as_str));
        let left_out = all.leave_one_group_out(of_rows.map(row).collect()).unwrap();
        let mut found = vec![f64::NAN; rows.nrows()];
        for (row, score) in (0..left_out.blocks()).flat_map(|b| left_out.scores(b).unwrap()) {
            found[row] = score.unwrap();
        }
        assert_all_close(found.iter().copied(), &case["score"], &tolerance["score"], name);
        let of_queries = scores(&all, &queries);
        let close = &tolerance["query_score"];
        assert_all_close(of_queries.iter().copied(), &case["query_score"], close, name);

        // The p-value that is given: the query among all rows.
        let entry = |row: usize| CalibrationEntry {
            score: found[row],
            group: Some(groups[row].clone()),
            ..CalibrationEntry::default()
        };
        let source =
            CalibrationSource::LeaveOneGroupOut { group_by: GroupBy::CsvColumn("g".into()) };
        let entries = (0..rows.nrows()).map(entry).collect();
        let calibration = Calibration::new(all.score(), 0.5, entries, None, source).unwrap();
        let plug_in = of_queries.iter().map(|s| calibration.judge(*s, None).unwrap().p_value);
        assert_all_close(plug_in, &case["p_plug_in"], &tolerance["p_plug_in"], name);

        // The one that it stands for: the query without group g beside the scores of group g.
        let mut names = groups.clone();
        names.sort_by_key(|group| group.parse::<usize>().unwrap());
        names.dedup();
        let mut larger = vec![0.0; queries.nrows()];
        let mut without = Vec::new();
        for group in &names {
            let (own, others): (Vec<usize>, Vec<usize>) =
                (0..rows.nrows()).partition(|&row| groups[row] == *group);
            let of_queries = scores(&reference(rows.select(Axis(0), &others), k), &queries);
            for (larger, score) in larger.iter_mut().zip(&of_queries) {
                let at_least = own.iter().filter(|&&row| found[row] >= *score).count();
                *larger += at_least as f64 / own.len() as f64;
            }
            without.push(of_queries);
        }
        let jackknife = larger.iter().map(|larger| (1.0 + larger) / (names.len() + 1) as f64);
        let plug_in = numbers(&case["p_plug_in"]);
        assert!(jackknife.clone().zip(&plug_in).all(|(jackknife, p)| jackknife <= p + 1e-12));
        assert_all_close(jackknife, &case["p_jackknife"], &tolerance["p_jackknife"], name);
        for (query, expected) in list(case, "query_score_without").iter().enumerate() {
            let found = without.iter().map(|scores| scores[query]);
            assert_all_close(found, expected, &tolerance["query_score_without"], name);
        }
    }
}
