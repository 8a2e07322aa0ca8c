//! Which predictions are kept.

use sha2::{Digest, Sha256};

use super::record::Reason;
use crate::engine::Answer;
use crate::settings::CaptureSettings;

/// Places of an image by which it is in the sample or not.
const PLACES: usize = 64;

/// Bytes at each place.
const PLACE_BYTES: usize = 256;

/// Which predictions are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection {
    share: f64,
    always_ood: bool,
    below_confidence: f64,
}

impl Selection {
    pub fn new(settings: &CaptureSettings) -> Self {
        let &CaptureSettings { share, always_ood, below_confidence, .. } = settings;
        Self { share, always_ood, below_confidence }
    }

    /// The reasons to keep an image with its answer; none where it is not kept. Costs some
    /// microseconds, however large the image is.
    pub fn reasons(&self, image: &[u8], answer: &Answer) -> Vec<Reason> {
        let drift = answer.drift.as_ref();
        let strange = drift.and_then(|drift| drift.out_of_distribution) == Some(true);
        let doubtful = f64::from(answer.prediction.confidence) < self.below_confidence;
        [
            (self.samples(image), Reason::Sample),
            (self.always_ood && strange, Reason::OutOfDistribution),
            (doubtful, Reason::LowConfidence),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    /// Whether an image is in the sample. By content rather than by chance: an image that is sent
    /// again and again is not kept in the end, and servers beside each other keep the same ones.
    fn samples(&self, image: &[u8]) -> bool {
        if self.share <= 0.0 || self.share >= 1.0 {
            return self.share >= 1.0;
        }
        position(image) < self.share
    }
}

/// A number from 0 to below 1 that lies in the image's content, as good as at random.
///
/// Of a large image not all is looked at, since this is on a request's way: its length, and places
/// spread evenly over it. Two photographs differ everywhere.
fn position(image: &[u8]) -> f64 {
    let mut hash = Sha256::new_with_prefix((image.len() as u64).to_le_bytes());
    let step = image.len() / PLACES;
    if step <= PLACE_BYTES {
        hash.update(image);
    } else {
        let (last, others) = (&image[image.len() - PLACE_BYTES..], image.chunks(step));
        others.take(PLACES - 1).for_each(|place| hash.update(&place[..PLACE_BYTES]));
        hash.update(last);
    }
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    // The first 53 bits, which a float holds exactly.
    let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11;
    (bits as f64) / ((1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::{Selection, position};

    fn sampled(share: f64, images: &[Vec<u8>]) -> usize {
        let selection = Selection { share, always_ood: true, below_confidence: 0.8 };
        images.iter().filter(|image| selection.samples(image)).count()
    }

    #[test]
    fn a_share_of_all_contents_is_sampled() {
        let small = |number: u32| number.to_le_bytes().to_vec();
        // They differ at one place alone, as no photographs do.
        let large = |number: u32| [vec![7; 100_000], number.to_le_bytes().to_vec()].concat();
        for images in [(0..2000).map(small).collect::<Vec<_>>(), (0..2000).map(large).collect()] {
            let sampled = |share| sampled(share, &images);
            assert_eq!((sampled(0.0), sampled(1.0)), (0, 2000));
            // The contents are fixed, and so is their number; 500 and 20 are the expectations.
            assert!((430..570).contains(&sampled(0.25)), "{}", sampled(0.25));
            assert!((5..40).contains(&sampled(0.01)), "{}", sampled(0.01));
        }
    }

    #[test]
    fn places_all_over_an_image_count() {
        let image = vec![0; 1_000_000];
        let before = position(&image);
        // Less than the distance between two places, and more than one has.
        for start in (0..image.len()).step_by(15_625) {
            let mut other = image.clone();
            other[start..].iter_mut().take(15_625).for_each(|byte| *byte = 1);
            assert!((position(&other) - before).abs() > 0.0, "{start}");
        }
        assert!((position(&image[1..]) - before).abs() > 0.0, "and so does the length");
    }
}
