//! Thumbnails from folders: of captured images by their SHA-256, of reference images by their ids.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use sdd_core::image::FILE_EXTENSIONS;
use sdd_core::{ImageLimits, regular_file, thumbnail};

use super::pictures::Pictures;

/// The longest side of a thumbnail, in pixels.
const SIDE: u32 = 160;

/// Folders with the files of images. Names come from clients and stores: none leads out of its folder, not by `..`
/// nor by a link.
#[derive(Debug, Clone, Default)]
pub struct PictureFolders {
    /// The folder of a server's `--capture`.
    pub captured: Option<PathBuf>,
    /// The folder that the reference was built from: ids are paths in it.
    pub reference_images: Option<PathBuf>,
    /// What is not decoded.
    pub limits: ImageLimits,
}

impl PictureFolders {
    /// A small JPEG of the image at a path in a folder; `None` where there is none, or it cannot be read.
    fn picture(&self, folder: Option<&Path>, below: &Path) -> Option<Vec<u8>> {
        let folder = folder?;
        let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || below.as_os_str().is_empty() {
            return None;
        }
        let path = fs::canonicalize(folder.join(below)).ok()?;
        if !path.starts_with(fs::canonicalize(folder).ok()?) {
            return None;
        }
        small(&path, &self.limits)
    }
}

impl Pictures for PictureFolders {
    fn captured(&mut self, sha256: &str) -> Option<Vec<u8>> {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let shard = sha256.get(..2).filter(|_| is_digest)?;
        FILE_EXTENSIONS.iter().find_map(|extension| {
            let below = format!("images/{shard}/{sha256}.{extension}");
            self.picture(self.captured.as_deref(), Path::new(&below))
        })
    }

    fn reference(&mut self, id: &str) -> Option<Vec<u8>> {
        self.picture(self.reference_images.as_deref(), Path::new(id))
    }
}

/// A small JPEG of an image file; `None` where it cannot be read.
#[must_use]
pub fn small(path: &Path, limits: &ImageLimits) -> Option<Vec<u8>> {
    let (file, length) = regular_file::open(path).ok()?;
    if usize::try_from(length).ok()? > limits.max_bytes {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).ok()?;
    thumbnail(&bytes, SIDE, limits).ok()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn save(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(300, 200, Rgb([10, 200, 30])).save(path).unwrap();
    }

    #[test]
    fn images_are_found_by_digest_and_by_id_and_small() {
        let folder = tempfile::tempdir().unwrap();
        let sha256 = "ab".repeat(32);
        save(&folder.path().join(format!("kept/images/ab/{sha256}.png")));
        save(&folder.path().join("train/good/1.png"));
        let mut pictures = PictureFolders {
            captured: Some(folder.path().join("kept")),
            reference_images: Some(folder.path().join("train")),
            limits: ImageLimits::default(),
        };
        for found in [pictures.captured(&sha256), pictures.reference("good/1.png")] {
            let small = image::load_from_memory(&found.unwrap()).unwrap();
            assert_eq!((small.width(), small.height()), (160, 106));
        }
        assert_eq!(pictures.captured(&"cd".repeat(32)), None);
        assert_eq!(PictureFolders::default().reference("good/1.png"), None);
    }

    #[cfg(unix)]
    #[test]
    fn no_name_leads_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret.png");
        save(&secret);
        save(&folder.path().join("train/1.png"));
        std::os::unix::fs::symlink(&secret, folder.path().join("train/link.png")).unwrap();
        let mut pictures = PictureFolders {
            captured: Some(folder.path().to_owned()),
            reference_images: Some(folder.path().join("train")),
            limits: ImageLimits::default(),
        };
        assert!(pictures.reference("1.png").is_some());
        let absolute = secret.to_str().unwrap();
        for id in ["../secret.png", "link.png", absolute, "", ".", "./../secret.png", "a\0b"] {
            assert_eq!(pictures.reference(id), None, "{id:?}");
        }
        for digest in ["../../secret", "", "ab", &"é".repeat(32)] {
            assert_eq!(pictures.captured(digest), None, "{digest:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("1.png"));
        let limits = ImageLimits { max_bytes: 10, ..ImageLimits::default() };
        assert_eq!(small(&folder.path().join("1.png"), &limits), None);
    }
}
