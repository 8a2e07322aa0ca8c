//! What an open store answers, and opening where nothing may be written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ndarray::{Array2, array};
use sdd_index::{
    Error, FileStore, Filter, Metric, Normalization, Record, StoreContents, Verification,
};

use crate::support::{self, LABELS, listing};

#[test]
fn a_store_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let contents = support::contents(4, 32, 5, Normalization::L2);
    let written = FileStore::write(folder.path(), &contents).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    assert_eq!(store.manifest(), &written);
    assert_eq!((written.generation, written.metric), (1, Metric::L2Squared));
    assert_eq!(written.model, contents.model);
    assert!(written.created_at.ends_with('Z') && written.created_at.len() == 20, "{written:?}");
    assert_eq!((store.dimension(), store.len(), store.is_empty()), (5, 32, false));
    let labels: Vec<_> = store.labels().into_iter().map(|l| (l.label.unwrap(), l.count)).collect();
    assert_eq!(labels, [(LABELS[0].into(), 11), (LABELS[1].into(), 11), (LABELS[2].into(), 10)]);
    assert_eq!(store.attachment("calibration.json"), Some(&b"{\"seed\":4}"[..]));
    assert_eq!(store.attachment("empty.bin"), Some(&[][..]));
    assert_eq!(store.attachment("manifest.json"), None);

    let found = Verification::of(&store);
    assert_eq!(found.manifest, written);
    assert_eq!(found.labels, store.labels());
    assert!(found.min_norm > 0.0 && found.max_norm >= found.min_norm && found.zero_rows == 0);
}

#[test]
fn a_zero_embedding_stays_zero() {
    let folder = tempfile::tempdir().unwrap();
    let record = |id: &str| Record { id: id.to_owned(), label: None };
    let contents = StoreContents {
        embeddings: array![[0.0, 0.0], [3.0, 4.0]],
        records: vec![record("zero"), record("five")],
        ..support::contents(5, 1, 2, Normalization::L2)
    };
    FileStore::write(folder.path(), &contents).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    assert_eq!(Verification::of(&store).zero_rows, 1);
    assert_eq!(store.embeddings(Filter::All), contents.embeddings);
    let found = store.search(array![[0.0, 0.0], [30.0, 40.0]].view(), 2, Filter::All).unwrap();
    let distances = |i: usize| found[i].iter().map(|n| n.distance_squared).collect::<Vec<_>>();
    assert_eq!((&*found[0][0].id, &distances(0)[..]), ("zero", &[0.0, 1.0][..]));
    assert_eq!((&*found[1][0].id, &distances(1)[..]), ("five", &[0.0, 1.0][..]));
}

#[test]
fn queries_that_cannot_be_compared_are_refused_whatever_the_filter() {
    for normalization in [Normalization::None, Normalization::L2] {
        let folder = tempfile::tempdir().unwrap();
        FileStore::write(folder.path(), &support::contents(6, 9, 2, normalization)).unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        for filter in [Filter::All, Filter::Label(LABELS[0]), Filter::Label("no such label")] {
            let ask = |queries: Array2<f32>, k| store.search(queries.view(), k, filter);
            assert!(matches!(ask(array![[1.0, 2.0]], 0), Err(Error::ZeroNeighbors)));
            let wide = ask(array![[1.0, 2.0, 3.0]], 1);
            assert!(matches!(wide, Err(Error::DimensionMismatch { expected: 2, found: 3, .. })));
            assert!(matches!(ask(array![[1.0, f32::NAN]], 1), Err(Error::NotFinite { .. })));
            assert!(ask(Array2::zeros((0, 2)), 1).unwrap().is_empty());
        }
        let none = store.search(array![[1.0, 2.0]].view(), 3, Filter::Label("no such label"));
        assert_eq!(none.unwrap(), [vec![]]);
        assert_eq!(store.embeddings(Filter::Label("no such label")).dim(), (0, 2));
        let all = store.search(array![[1.0, 2.0]].view(), usize::MAX, Filter::All).unwrap();
        assert_eq!(all[0].len(), 9);
    }
}

#[test]
fn opening_needs_no_right_to_write_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    FileStore::write(&dir, &support::contents(7, 9, 2, Normalization::L2)).unwrap();
    fs::remove_file(dir.join(".lock")).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    let before = listing(&dir);
    FileStore::open(&dir).unwrap();
    assert_eq!(listing(&dir), before);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
}
