//! What a command line names as images: a folder of them, files, or a matrix of their embeddings. One rule for all
//! commands.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::folder::{EXTENSIONS, Folder, ImageFile, scan};
use crate::capture::labels;

/// Images, before anything of them was read.
pub enum Source<'a> {
    /// An embedding a row.
    Matrix(Matrix<'a>),
    /// Everything else: image files by their paths, and what is below folders.
    Images(Folder),
}

/// A file that ends in `.npy`, and files beside it that say something of its rows, a line each.
pub struct Matrix<'a> {
    pub path: &'a Path,
    pub classes: Option<&'a Path>,
    pub ids: Option<&'a Path>,
}

impl<'a> Source<'a> {
    /// `classes` is the file that says them, if one does: of a matrix a line a row, of a folder that a server captured
    /// the list that a person has labeled, and then its labeled images are meant. `ids` is one of a matrix alone.
    pub fn find(
        paths: &'a [PathBuf],
        classes: Option<&'a Path>,
        ids: Option<&'a Path>,
    ) -> Result<Self> {
        match (paths, paths.iter().find(|path| is_matrix(path))) {
            ([path], Some(_)) => return Ok(Self::Matrix(Matrix { path, classes, ids })),
            (_, Some(matrix)) => bail!(
                "a matrix of embeddings is named alone: leave away what is beside {}",
                matrix.display()
            ),
            (_, None) => {}
        }
        ensure!(ids.is_none(), "--ids are of the rows of a matrix: images have names");
        let found = match (paths, classes) {
            ([folder], Some(list)) if folder.is_dir() => labeled(folder, list)?,
            (_, Some(list)) => bail!(
                "{} names classes of a matrix or of one folder that a server captured: the class of other images is \
                 the folder that they are in",
                list.display()
            ),
            (_, None) => list_all(paths)?,
        };
        ensure!(
            !found.images.is_empty(),
            "there are no images below {} (names ending in {})",
            names(paths),
            EXTENSIONS.join(", "),
        );
        Ok(Self::Images(found))
    }

    /// Whether the images have names: the rows of a matrix have those of `--ids`.
    pub fn has_names(&self) -> bool {
        !matches!(self, Self::Matrix(Matrix { ids: None, .. }))
    }
}

/// The paths as they were given.
pub fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn is_matrix(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
        && !path.is_dir()
}

fn list_all(paths: &[PathBuf]) -> Result<Folder> {
    if let [only] = paths {
        ensure!(only.exists(), "{} is neither a folder nor a file", only.display());
    }
    let mut found = Folder::default();
    for path in paths {
        if path.is_dir() {
            let Folder { images, skipped, ignored } = scan(path)?;
            found.images.extend(images);
            found.skipped.extend(skipped);
            found.ignored += ignored;
        } else {
            let (id, path) = (path.display().to_string(), path.clone());
            found.images.push(ImageFile { id, label: None, path });
        }
    }
    Ok(found)
}

/// The images of a capture folder that a list labels.
fn labeled(folder: &Path, list: &Path) -> Result<Folder> {
    let file = |image: labels::LabeledImage| {
        let path = folder.join(&image.path);
        ImageFile { id: image.path, label: Some(image.label), path }
    };
    let images = labels::read(list)?.into_iter().map(file).collect();
    Ok(Folder { images, ..Folder::default() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_files_and_matrices_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("parts/good")).unwrap();
        fs::create_dir(at("folder.npy")).unwrap();
        for image in ["parts/good/a.png", "b.dat", "folder.npy/c.jpg"] {
            fs::write(at(image), "").unwrap();
        }
        let all = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
        let (mixed, matrix) = (all(&["parts", "b.dat", "folder.npy"]), all(&["x.npy"]));
        let Source::Images(found) = Source::find(&mixed, None, None).unwrap() else {
            panic!("no matrix is among them");
        };
        let ids: Vec<_> = found.images.iter().map(|image| image.id.as_str()).collect();
        // A file is called as it was named, and may end in anything.
        let named = at("b.dat").display().to_string();
        assert_eq!(ids, ["good/a.png", &named, "c.jpg"]);
        assert!(matches!(Source::find(&matrix, None, None).unwrap(), Source::Matrix(_)));
    }
}
