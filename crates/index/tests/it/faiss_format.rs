//! The FAISS file is FAISS's own format, byte for byte.

use std::fs;

use faiss::index::flat::FlatIndexImpl;
use faiss::index::io::{read_index, write_index};
use faiss::{ConcurrentIndex, Index};
use sdd_index::{FileStore, Filter, Normalization};

use crate::support;

#[test]
fn the_file_is_the_one_that_faiss_writes() {
    for (count, dimension) in [(1, 1), (1, 512), (7, 3), (1000, 64)] {
        let folder = tempfile::tempdir().unwrap();
        let contents = support::contents(1, count, dimension, Normalization::None);
        let manifest = FileStore::write(&folder.path().join("store"), &contents).unwrap();
        let ours = fs::read(folder.path().join("store").join(&manifest.index.file)).unwrap();

        let store = FileStore::open(&folder.path().join("store")).unwrap();
        let rows = store.embeddings(Filter::All);
        let mut index = FlatIndexImpl::new_l2(u32::try_from(dimension).unwrap()).unwrap();
        index.add(rows.as_slice().unwrap()).unwrap();
        let path = folder.path().join("theirs.faiss");
        write_index(&index, path.to_str().unwrap()).unwrap();
        assert!(ours == fs::read(path).unwrap(), "{count} x {dimension}");
    }
}

#[test]
fn faiss_reads_the_file_and_finds_the_same_neighbors() {
    let folder = tempfile::tempdir().unwrap();
    let contents = support::contents(2, 300, 16, Normalization::L2);
    let manifest = FileStore::write(folder.path(), &contents).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let path = folder.path().join(&manifest.index.file);
    let theirs = read_index(path.to_str().unwrap()).unwrap().into_flat().unwrap();
    let ids = store.records(Filter::All);

    let queries = contents.embeddings.slice(ndarray::s![..10, ..]).to_owned();
    for (query, nearest) in
        queries.outer_iter().zip(store.search(queries.view(), 5, Filter::All).unwrap())
    {
        let norm = query.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "as the store does it")]
        let unit: Vec<f32> = query.iter().map(|x| (f64::from(*x) / norm) as f32).collect();
        let found = theirs.search(&unit, 5).unwrap();
        for (i, neighbor) in nearest.iter().enumerate() {
            let row = usize::try_from(found.labels[i].get().unwrap()).unwrap();
            assert_eq!(*neighbor.id, *ids[row].id);
            assert_eq!(neighbor.distance_squared, found.distances[i]);
        }
    }
}
