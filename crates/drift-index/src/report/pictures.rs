//! Where the files of a report's images are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sdd_report::{PictureFolders, Pictures, small};

use super::arguments::Arguments;

/// The folders that were named, and the images that were looked at.
pub struct AtHand {
    folders: PictureFolders,
    seen: HashMap<String, PathBuf>,
}

impl AtHand {
    pub fn new(arguments: &Arguments) -> Self {
        let folders = PictureFolders {
            captured: arguments.captured.clone(),
            reference_images: arguments.reference_images.clone(),
            limits: arguments.model.limits(),
        };
        Self { folders, seen: HashMap::new() }
    }

    pub fn remember(&mut self, sha256: &str, path: &Path) {
        self.seen.insert(sha256.to_owned(), path.to_owned());
    }
}

impl Pictures for AtHand {
    fn captured(&mut self, sha256: &str) -> Option<Vec<u8>> {
        match self.seen.get(sha256) {
            Some(path) => small(path, &self.folders.limits),
            None => self.folders.captured(sha256),
        }
    }

    fn reference(&mut self, id: &str) -> Option<Vec<u8>> {
        self.folders.reference(id)
    }
}
