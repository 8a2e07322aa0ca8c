//! The last W images: their classes, and whether they are out of distribution.

use std::collections::VecDeque;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Classes that are told apart; those that come later count as the last one.
pub(super) const MAX_CLASSES: usize = 10_000;

/// The first character that an image is written as.
const FIRST: u32 = 'A' as u32;

/// An image: four times the index of its class, 1 where it is out of distribution, and 2 where it is far from everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Image(u32);

/// The last images, as many as were asked for. Stored as one character an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ring(VecDeque<Image>);

impl Ring {
    pub fn push(&mut self, class: usize, out_of_distribution: bool, is_far: bool, capacity: usize) {
        while self.0.len() >= capacity {
            self.0.pop_front();
        }
        let class = u32::try_from(class.min(MAX_CLASSES - 1)).unwrap_or_default();
        let flags = u32::from(out_of_distribution) + 2 * u32::from(is_far);
        self.0.push_back(Image(4 * class + flags));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn out_of_distribution(&self) -> usize {
        self.0.iter().filter(|image| image.is_out()).count()
    }

    pub fn far(&self) -> usize {
        self.0.iter().filter(|image| image.is_far()).count()
    }

    /// Of each of so many classes: its images, and those out of distribution.
    pub fn by_class(&self, classes: usize) -> Vec<(u64, u64)> {
        let mut counts = vec![(0, 0); classes];
        for image in &self.0 {
            if let Some((images, out)) = counts.get_mut(image.class()) {
                *images += 1;
                *out += u64::from(image.is_out());
            }
        }
        counts
    }

    /// The number of classes that the images need.
    pub fn classes(&self) -> usize {
        self.0.iter().map(|image| image.class() + 1).max().unwrap_or(0)
    }
}

impl Image {
    fn class(self) -> usize {
        (self.0 / 4) as usize
    }

    fn is_out(self) -> bool {
        self.0 & 1 == 1
    }

    fn is_far(self) -> bool {
        self.0 & 2 == 2
    }
}

impl Serialize for Ring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let letter = |image: &Image| char::from_u32(FIRST + image.0).unwrap_or('A');
        serializer.collect_str(&self.0.iter().map(letter).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Ring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let image = |letter: char| {
            let code = (letter as u32).checked_sub(FIRST);
            let code = code.filter(|code| (*code as usize) < 4 * MAX_CLASSES);
            code.map(Image)
                .ok_or_else(|| D::Error::custom(format!("`{letter}` is no image of a window")))
        };
        text.chars().map(image).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_last_images_and_is_read_back() {
        let mut ring = Ring::default();
        for image in 0..30_usize {
            ring.push(image % 13 * 800, image % 3 == 0, image % 4 == 0, 20);
        }
        assert_eq!((ring.len(), ring.out_of_distribution(), ring.far()), (20, 6, 5));
        let text = serde_json::to_string(&ring).unwrap();
        let read: Ring = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ring);
        // Images 12 and 25.
        assert_eq!(ring.by_class(9601)[9600], (2, 1));
        assert!(serde_json::from_str::<Ring>("\" \"").is_err());
        assert!(serde_json::from_str::<Ring>("\"\u{1f600}\"").is_err());
    }
}
