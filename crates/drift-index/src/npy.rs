//! Matrices as files: read, and written whole or not at all.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ndarray::Array2;

use sdd_core::regular_file;
use sdd_drift::npy;

use crate::whole_file;

/// Reads a matrix of finite numbers.
pub fn read(path: &Path) -> Result<Array2<f32>> {
    let read = || -> Result<_> {
        let (file, length) = regular_file::open(path)?;
        Ok(npy::read(file, length)?)
    };
    read().with_context(|| format!("cannot read the matrix {}", path.display()))
}

/// Finds out before the work, not after it, that nothing can be written there.
pub fn check_destination(path: &Path) -> Result<()> {
    // Images and models are named on the same command line, and one letter is soon forgotten.
    ensure!(
        path.extension().is_some_and(|extension| extension == "npy"),
        "{} does not end in .npy: it would not be known for a matrix",
        path.display()
    );
    whole_file::check_place(path)
}

/// Writes float32 numbers, N x D, row after row, to a file that has its name only once it is
/// complete. A file that was there is replaced.
pub fn write(path: &Path, matrix: &Array2<f32>) -> Result<()> {
    whole_file::write_with(path, |file| {
        let mut writer = BufWriter::new(file);
        writer.write_all(&npy::header_of_rows(matrix.dim()))?;
        for value in matrix {
            writer.write_all(&value.to_le_bytes())?;
        }
        Ok(writer.flush()?)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for matrix in [array![[1.0, -0.5], [f32::MAX, f32::MIN_POSITIVE]], array![[7.0]]] {
            check_destination(&path).unwrap();
            write(&path, &matrix).unwrap();
            assert_eq!(read(&path).unwrap(), matrix);
            // As numpy.save: numbers begin at a multiple of 64 bytes.
            let length = fs::metadata(&path).unwrap().len();
            assert_eq!((length - 4 * matrix.len() as u64) % 64, 0);
        }
        // A matrix in Fortran's order is written row after row, too.
        let wide = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        write(&path, &wide.t().to_owned()).unwrap();
        assert_eq!(read(&path).unwrap(), wide.t());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_said_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let below_nothing = folder.path().join("nowhere/a.npy");
        let a_folder = folder.path().join("folder.npy");
        fs::create_dir(&a_folder).unwrap();
        let to_a_device = folder.path().join("link.npy");
        std::os::unix::fs::symlink("/dev/null", &to_a_device).unwrap();
        let image = folder.path().join("image.jpg");
        fs::write(&image, "").unwrap();
        for path in [&a_folder, &below_nothing, &to_a_device, &image, Path::new("..")] {
            assert!(check_destination(path).is_err(), "{}", path.display());
        }
        assert!(write(&below_nothing, &array![[1.0]]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
