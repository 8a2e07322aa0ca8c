//! The strangest pictures of the last images, each once, exactly and in little memory.

use serde::{Deserialize, Serialize};

/// How many are named.
pub(super) const STRANGEST: usize = 12;

/// How many are remembered at most, so that a state stays small. Where strangeness comes in no order, some
/// `12 (1 + ln(window/12))` are: 93 of 10,000. A window of which each image is less strange than the one before would
/// have to be remembered as a whole; of that the least strange are forgotten, which can be missed only once all
/// that are remembered have left the window.
const MOST: usize = 256;

/// An image that is, or may become, one of the strangest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(super) struct Candidate {
    pub sequence: u64,
    /// Its place among the images that can be judged.
    pub image: u64,
    pub score: f64,
    pub p_value: f64,
    /// As [`Observation::picture`](super::Observation::picture).
    pub picture: u64,
}

/// As it is stored: short, since all of them are written with each image.
type Row = (u64, u64, f64, f64, u64);

impl From<Row> for Candidate {
    fn from((sequence, image, score, p_value, picture): Row) -> Self {
        Self { sequence, image, score, p_value, picture }
    }
}

impl From<Candidate> for Row {
    fn from(one: Candidate) -> Self {
        (one.sequence, one.image, one.score, one.p_value, one.picture)
    }
}

impl Candidate {
    /// Stranger, or as strange and later.
    fn precedes(&self, other: &Self) -> std::cmp::Ordering {
        let stranger = self.p_value.total_cmp(&other.p_value);
        stranger.then(other.score.total_cmp(&self.score)).then(other.sequence.cmp(&self.sequence))
    }
}

/// An image is forgotten once it has left the window, once its picture has come again, or once so many later ones are
/// as strange that it can never be among the strangest again. Strangest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Strangest(Vec<Candidate>);

impl Strangest {
    pub fn push(&mut self, new: Candidate, window: usize) {
        let is_again = |old: &Candidate| old.picture == new.picture;
        self.0.retain(|old| old.image + window as u64 > new.image && !is_again(old));
        let place = self.0.partition_point(|old| old.precedes(&new).is_lt());
        self.0.insert(place, new);
        // All before it in the order are stranger; those of them that came later outlive it.
        let mut later: Vec<u64> = Vec::with_capacity(STRANGEST);
        self.0.retain(|candidate| {
            let outlive = later.iter().filter(|sequence| **sequence > candidate.sequence).count();
            if outlive >= STRANGEST {
                return false;
            }
            later.push(candidate.sequence);
            // The latest so many are the ones that decide about all that follow.
            if later.len() > STRANGEST {
                let oldest = later.iter().enumerate().min_by_key(|(_, sequence)| **sequence);
                if let Some((oldest, _)) = oldest {
                    later.swap_remove(oldest);
                }
            }
            true
        });
        self.0.truncate(MOST);
    }

    /// Their sequence numbers, strangest first.
    pub fn sequences(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().take(STRANGEST).map(|candidate| candidate.sequence)
    }

    /// Whether they are images that were seen, as far as can be told: by their places among the judged and their numbers.
    pub fn is_sound(&self, has_seen: impl Fn(u64, u64) -> bool) -> bool {
        let is_seen = |one: &Candidate| {
            has_seen(one.image, one.sequence) && one.p_value > 0.0 && one.p_value <= 1.0
        };
        self.0.len() <= MOST && self.0.iter().all(is_seen)
    }

    /// How many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by looking at all images of the window: of each picture the last.
    fn expected(all: &[Candidate], window: usize) -> Vec<u64> {
        let last = &all[all.len().saturating_sub(window)..];
        let comes_again =
            |i: usize| last[i + 1..].iter().any(|other| other.picture == last[i].picture);
        let mut kept: Vec<_> =
            (0..last.len()).filter(|i| !comes_again(*i)).map(|i| last[i]).collect();
        kept.sort_by(Candidate::precedes);
        kept.iter().take(STRANGEST).map(|candidate| candidate.sequence).collect()
    }

    #[test]
    fn they_are_those_of_the_window_sorted_and_each_picture_once() {
        let mut random = fastrand::Rng::with_seed(11);
        let window = 200;
        // All different, of 300 and of 30, which the window has several times.
        for pictures in [u64::MAX, 300, 30] {
            let (mut strangest, mut all, mut most) = (Strangest::default(), Vec::new(), 0);
            for image in 0..3000_u64 {
                let picture = random.u64(..pictures);
                // A picture is as strange each time.
                let mut of = fastrand::Rng::with_seed(picture);
                let p_value = f64::from(of.u32(1..=65)) / 65.0;
                let new =
                    Candidate { sequence: image + 7, image, score: of.f64(), p_value, picture };
                all.push(new);
                strangest.push(new, window);
                most = most.max(strangest.len());
                let found: Vec<u64> = strangest.sequences().collect();
                assert_eq!(found, expected(&all, window), "{image} of {pictures}");
            }
            assert!(most < 100, "{most}");
        }
    }

    #[test]
    fn a_stream_that_grows_less_strange_image_by_image_is_remembered_in_part() {
        let (mut strangest, window) = (Strangest::default(), 1000);
        for image in 0..5000_u64 {
            let score = -f64::from(u32::try_from(image).unwrap());
            let (sequence, picture) = (image, image);
            strangest.push(Candidate { sequence, image, score, p_value: 0.5, picture }, window);
            assert!(strangest.len() <= MOST);
            assert!(strangest.sequences().count() == STRANGEST || image < STRANGEST as u64);
        }
    }
}
