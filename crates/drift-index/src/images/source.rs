//! What a command line names as images: a folder of them, files, or a matrix of their embeddings. One rule for all
//! commands.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::folder::{EXTENSIONS, Folder, ImageFile, scan};
use crate::capture::labels;

/// Images, before anything of them was read.
pub enum Source {
    /// A file that ends in `.npy`: an embedding a row.
    Matrix(PathBuf),
    /// Everything else: image files by their paths, and what is below folders.
    Images(Folder),
}

impl Source {
    /// `classes` is the file that says them, if one does: of a matrix a line a row, of a folder that a server captured
    /// the list that a person has labeled, and then its labeled images are meant.
    pub fn find(paths: &[PathBuf], classes: Option<&Path>) -> Result<Self> {
        if let [path] = paths
            && is_matrix(path)
        {
            return Ok(Self::Matrix(path.clone()));
        }
        let matrix = paths.iter().find(|path| is_matrix(path));
        ensure!(
            matrix.is_none(),
            "a matrix of embeddings is named alone: leave away what is beside {}",
            matrix.map_or(Path::new(""), PathBuf::as_path).display()
        );
        let found = match (paths, classes) {
            ([folder], Some(list)) if folder.is_dir() => labeled(folder, list)?,
            (_, Some(list)) => anyhow::bail!(
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
}

/// The paths as they were given.
pub fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn is_matrix(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy") && !path.is_dir()
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
        let find = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(|name| at(name)).collect();
            Source::find(&paths, None)
        };
        let Source::Images(found) = find(&["parts", "b.dat", "folder.npy"]).unwrap() else {
            panic!("no matrix is among them");
        };
        let ids: Vec<_> = found.images.iter().map(|image| image.id.as_str()).collect();
        // A file is called as it was named, and may end in anything.
        let named = at("b.dat").display().to_string();
        assert_eq!(ids, ["good/a.png", &named, "c.jpg"]);
        assert_eq!(found.images[0].label.as_deref(), Some("good"));
        assert!(matches!(find(&["x.npy"]).unwrap(), Source::Matrix(_)));
        assert!(find(&["x.npy", "b.dat"]).is_err() && find(&["x.npy", "y.npy"]).is_err());
        fs::remove_file(at("parts/good/a.png")).unwrap();
        assert!(find(&["parts"]).err().unwrap().to_string().contains("no images below"));
    }
}
