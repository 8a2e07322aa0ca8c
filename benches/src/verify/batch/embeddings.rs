//! Embeddings as a network's last average pool makes them, drawn.

use fastrand::Rng;
use ndarray::{Array1, Array2};
use sdd_drift::batch::Batch;

/// Values of an embedding.
pub const DIMENSION: usize = 128;
/// What an image is made of: far fewer than an embedding has values, so that these hang together.
const FACTORS: usize = 12;
/// Images that the model takes for the other class.
const MISTAKEN: f64 = 0.02;

/// The spread of the parts, in the spread of the images of one part.
const PART: f64 = 0.7;

/// A network: how factors become features.
pub struct Network {
    weights: Array2<f64>,
    offsets: Array1<f64>,
    /// Where the images of a class with a defect lie, in factors.
    defect: Array1<f64>,
}

/// How the images of a batch differ from those of before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Added to the first three factors, in their standard deviations.
    pub shift: f64,
    /// The factors' spread is this much larger, as a share.
    pub spread: f64,
}

impl Network {
    /// Draws one. Features are 0 in 2 to 98 % of the images.
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let scale = 1.0 / (FACTORS as f64).sqrt();
        let weights =
            Array2::from_shape_simple_fn((DIMENSION, FACTORS), || scale * normal(&mut random));
        let offsets = Array1::from_shape_simple_fn(DIMENSION, || 4.0 * random.f64() - 2.0);
        let defect = Array1::from_shape_simple_fn(FACTORS, || normal(&mut random));
        Self { weights, offsets, defect }
    }

    /// Draws `parts` parts with `images` images each, which share a factor of the part's own: no two parts look alike.
    pub fn draw_parts(
        &self,
        random: &mut Rng,
        [parts, images]: [usize; 2],
        defects: f64,
        change: Change,
    ) -> Batch {
        let draw = |_| Array1::from_shape_simple_fn(FACTORS, || PART * normal(random));
        let of_part: Vec<Array1<f64>> = (0..parts).map(draw).collect();
        self.draw_around(random, parts * images, defects, change, |image| {
            of_part.get(image / images)
        })
    }

    /// Draws `images`, each with a defect with probability `defects`, with predicted classes and probabilities.
    pub fn draw(&self, random: &mut Rng, images: usize, defects: f64, change: Change) -> Batch {
        self.draw_around(random, images, defects, change, |_| None)
    }

    /// The same, with factors that are added to those of an image.
    fn draw_around<'a>(
        &self,
        random: &mut Rng,
        images: usize,
        defects: f64,
        change: Change,
        of_part: impl Fn(usize) -> Option<&'a Array1<f64>>,
    ) -> Batch {
        let mut embeddings = Array2::zeros((images, DIMENSION));
        let mut probabilities = Array2::zeros((images, 2));
        let mut classes = Vec::with_capacity(images);
        for image in 0..images {
            let is_defect = random.f64() < defects;
            let factors = Array1::from_shape_fn(FACTORS, |factor| {
                let class = if is_defect { self.defect[factor] } else { 0.0 };
                let shift = if factor < 3 { change.shift } else { 0.0 };
                let part = of_part(image).map_or(0.0, |part| part[factor]);
                class + shift + part + (1.0 + change.spread) * normal(random)
            });
            let features = self.weights.dot(&factors) + &self.offsets;
            for (value, feature) in embeddings.row_mut(image).iter_mut().zip(&features) {
                *value = narrow((feature + 0.3 * normal(random)).max(0.0));
            }
            // A classifier that is sure of itself, and now and then wrong.
            let seen_as_defect = is_defect != (random.f64() < MISTAKEN);
            let logit = if seen_as_defect { 3.0 } else { -3.0 } + 0.5 * factors[0] + factors[1];
            let defect = 1.0 / (1.0 + (-logit).exp());
            probabilities[[image, 0]] = narrow(defect);
            probabilities[[image, 1]] = narrow(1.0 - defect);
            classes.push(if seen_as_defect { "defect" } else { "good" }.to_owned());
        }
        Batch {
            names: None,
            embeddings,
            predicted_classes: Some(classes),
            probabilities: Some(probabilities),
            groups: None,
        }
    }
}

/// Standard normal, by Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[expect(clippy::cast_possible_truncation, reason = "embeddings are float32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_have_zeros_and_the_classes_their_shares() {
        let mut random = Rng::with_seed(1);
        let batch = Network::new(3).draw(&mut random, 500, 0.2, Change::default());
        let zeros = batch.embeddings.iter().filter(|value| **value == 0.0).count();
        let share = zeros as f64 / batch.embeddings.len() as f64;
        assert!((0.3..0.7).contains(&share), "{share}");
        let classes = batch.predicted_classes.unwrap_or_default();
        let defects = classes.iter().filter(|class| *class == "defect").count();
        assert!((70..=140).contains(&defects), "{defects}");
    }
}
