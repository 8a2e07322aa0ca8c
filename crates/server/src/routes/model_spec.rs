//! What a model says of itself, as clients see it.

use sdd_core::spec;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a model says of itself: labels, preprocessing, decision rule, outputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSpec {
    /// Version of the format of this description.
    pub format_version: u32,
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// A sentence for people.
    pub description: String,
    /// License of the weights.
    pub license: String,
    /// The classes. A softmax model's probabilities come in this order.
    pub labels: Vec<String>,
    /// Name of the graph's input, float32 `[N, 3, height, width]`.
    pub input: String,
    /// Names of the graph's outputs.
    pub outputs: Outputs,
    /// How an image becomes the input.
    pub preprocessing: Preprocessing,
    /// How probabilities become a class.
    pub decision: Decision,
    /// Number of values of the embedding.
    pub embedding_dimension: usize,
    /// What the model was trained on, in whatever form its author chose.
    pub trained_on: Value,
}

/// Names of the graph's outputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outputs {
    /// Probabilities: `[N, 1]` (of the positive label) or `[N, labels]`.
    pub probability: String,
    /// The penultimate average pool: `[N, D]` or `[N, D, 1, 1]`.
    pub embedding: String,
}

/// How an image becomes the input: turned upright, converted to `color`, resized to `width` x
/// `height` whatever its aspect ratio, then `(value * scale - mean) / std`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preprocessing {
    /// Width of the input, in pixels.
    pub width: u32,
    /// Height of the input, in pixels.
    pub height: u32,
    /// Resampling filter, with Pillow's names and antialiasing.
    pub filter: Filter,
    /// Color space of the input; gray is repeated over the three channels.
    pub color: Color,
    /// Factor on the 0..=255 values.
    pub scale: f32,
    /// Subtracted after scaling, one value a channel.
    pub mean: [f32; 3],
    /// Divided by at the end, one value a channel.
    pub std: [f32; 3],
    /// Bits of a sample in 16-bit files, 9 to 16, of which the 8 highest are taken. Without it the high byte is,
    /// and an image whose samples all stay below 4096 is refused with `ambiguous_bit_depth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bit_depth: Option<u8>,
}

/// Resampling filters, by Pillow's names.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Average over the covered area.
    Box,
    /// Triangle.
    Bilinear,
    /// Hamming window.
    Hamming,
    /// Cubic convolution with a = -0.5.
    Bicubic,
    /// Lanczos window of size 3.
    Lanczos,
}

/// Color spaces of a model's input.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// ITU-R 601-2 luma, repeated over three channels.
    Gray,
    /// Red, green, blue.
    Rgb,
}

/// How probabilities become a class.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Decision {
    /// Two labels, one probability: `positive_label` where it is at least `threshold`.
    Binary {
        /// The label that the probability is of.
        positive_label: String,
        /// The smallest probability that decides for it, in `(0, 1]`.
        threshold: f32,
    },
    /// One probability a label: the largest decides.
    Softmax,
}

impl From<&spec::ModelSpec> for ModelSpec {
    fn from(spec: &spec::ModelSpec) -> Self {
        let spec = spec.clone();
        Self {
            format_version: spec.format_version,
            name: spec.name,
            version: spec.version,
            description: spec.description,
            license: spec.license,
            labels: spec.labels,
            input: spec.input,
            outputs: Outputs {
                probability: spec.outputs.probability,
                embedding: spec.outputs.embedding,
            },
            preprocessing: spec.preprocessing.into(),
            decision: spec.decision.into(),
            embedding_dimension: spec.embedding_dimension,
            trained_on: spec.trained_on,
        }
    }
}

impl From<spec::Preprocessing> for Preprocessing {
    fn from(preprocessing: spec::Preprocessing) -> Self {
        let spec::Preprocessing { width, height, filter, color, scale, mean, std, bit_depth } =
            preprocessing;
        let (filter, color) = (filter.into(), color.into());
        Self { width, height, filter, color, scale, mean, std, bit_depth }
    }
}

impl From<spec::Filter> for Filter {
    fn from(filter: spec::Filter) -> Self {
        match filter {
            spec::Filter::Box => Self::Box,
            spec::Filter::Bilinear => Self::Bilinear,
            spec::Filter::Hamming => Self::Hamming,
            spec::Filter::Bicubic => Self::Bicubic,
            spec::Filter::Lanczos => Self::Lanczos,
        }
    }
}

impl From<spec::Color> for Color {
    fn from(color: spec::Color) -> Self {
        match color {
            spec::Color::Gray => Self::Gray,
            spec::Color::Rgb => Self::Rgb,
        }
    }
}

impl From<spec::Decision> for Decision {
    fn from(decision: spec::Decision) -> Self {
        match decision {
            spec::Decision::Binary { positive_label, threshold } => {
                Self::Binary { positive_label, threshold }
            }
            spec::Decision::Softmax => Self::Softmax,
        }
    }
}

#[cfg(test)]
mod tests {
    use sdd_core::spec;
    use serde_json::{Value, json};

    use super::ModelSpec;

    #[test]
    fn it_is_the_models_own_description() {
        let binary = json!({"kind": "binary", "positive_label": "a", "threshold": 0.5});
        let labels: [(Value, &[&str]); 2] =
            [(binary, &["a", "b"]), (json!({"kind": "softmax"}), &["a", "b", "c"])];
        let filters = ["box", "bilinear", "hamming", "bicubic", "lanczos"];
        for (decision, labels) in labels {
            for (filter, color) in filters.into_iter().zip(["gray", "rgb"].into_iter().cycle()) {
                let own = json!({
                    "format_version": 1, "name": "m", "version": "1", "description": "d",
                    "license": "l", "labels": labels, "input": "image",
                    "outputs": {"probability": "p", "embedding": "e"},
                    "preprocessing": {"width": 4, "height": 8, "filter": filter, "color": color,
                                      "scale": 0.5, "mean": [0.0, 0.5, 0.25],
                                      "std": [1.0, 2.0, 0.5], "bit_depth": 12},
                    "decision": decision, "embedding_dimension": 16, "trained_on": {"images": 3}
                });
                let spec = spec::ModelSpec::from_json(&own.to_string(), "test").unwrap();
                assert_eq!(serde_json::to_value(ModelSpec::from(&spec)).unwrap(), own);
            }
        }
    }
}
