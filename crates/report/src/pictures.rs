//! Thumbnails of the images that a report names, where they are at hand.

use std::collections::HashMap;

/// Where the files of images come from. A report is made without those that are not there.
pub trait Pictures {
    /// A small JPEG of an image that was captured, by the SHA-256 of its file.
    fn captured(&mut self, sha256: &str) -> Option<Vec<u8>>;

    /// A small JPEG of a reference image, by its id.
    fn reference(&mut self, id: &str) -> Option<Vec<u8>>;
}

/// None at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPictures;

impl Pictures for NoPictures {
    fn captured(&mut self, _sha256: &str) -> Option<Vec<u8>> {
        None
    }

    fn reference(&mut self, _id: &str) -> Option<Vec<u8>> {
        None
    }
}

/// What the thumbnails of a page may have together, in bytes of its text: the rest of it takes some 300 kB.
const ROOM: usize = 1_500_000;

/// Thumbnails as data URIs, each made once, as long as there is room.
pub(super) struct Thumbnails<'a> {
    pictures: &'a mut dyn Pictures,
    made: HashMap<(bool, String), Option<String>>,
    room: usize,
}

impl<'a> Thumbnails<'a> {
    pub fn new(pictures: &'a mut dyn Pictures) -> Self {
        Self { pictures, made: HashMap::new(), room: ROOM }
    }

    pub fn captured(&mut self, sha256: Option<&str>) -> Option<String> {
        self.uri(true, sha256?)
    }

    pub fn reference(&mut self, id: &str) -> Option<String> {
        self.uri(false, id)
    }

    fn uri(&mut self, is_captured: bool, name: &str) -> Option<String> {
        let key = (is_captured, name.to_owned());
        if !self.made.contains_key(&key) {
            let jpeg = if is_captured {
                self.pictures.captured(name)
            } else {
                self.pictures.reference(name)
            };
            let uri = jpeg.map(|jpeg| format!("data:image/jpeg;base64,{}", base64(&jpeg)));
            self.made.insert(key.clone(), uri);
        }
        // Each use stands in the text again.
        let uri = self.made.get(&key)?.clone()?;
        self.room = self.room.checked_sub(uri.len())?;
        Some(uri)
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(usize);

    impl Pictures for Counting {
        fn captured(&mut self, sha256: &str) -> Option<Vec<u8>> {
            self.0 += 1;
            (sha256 != "gone").then(|| vec![7; 300_000])
        }

        fn reference(&mut self, _id: &str) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn each_is_made_once_and_none_beyond_the_room() {
        let mut pictures = Counting(0);
        let mut thumbnails = Thumbnails::new(&mut pictures);
        assert_eq!(thumbnails.captured(None), None);
        assert_eq!(thumbnails.captured(Some("gone")), None);
        // 400 kB each as text.
        let shown: Vec<_> = (0..6).map(|_| thumbnails.captured(Some("a")).is_some()).collect();
        assert_eq!(shown, [true, true, true, false, false, false]);
        assert_eq!(pictures.0, 2);
    }
}
