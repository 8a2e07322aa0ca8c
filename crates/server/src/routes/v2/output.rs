//! The outputs of a model: which there are, and their values for answered images.

use sdd_drift::Assessment;
use sdd_serving::engine::{Answer, ServedModel};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::v2::binary;
use crate::routes::v2::request::{RequestedOutput, invalid};
use crate::routes::v2::tensor::DataType;

/// What an output tells of each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The probability of each class, in the order of the labels.
    Probabilities,
    /// The penultimate average pool.
    Embedding,
    /// The label of the decided class.
    Class,
    /// The probability of the decided class.
    Confidence,
    /// The drift score.
    DriftScore,
    /// The drift score's p-value; NaN, in JSON null, where the decided class has none.
    PValue,
    /// Whether the p-value says that the image is out of distribution.
    OutOfDistribution,
    /// The same as a word, where some classes have no p-value: a BOOL cannot say so.
    DriftVerdict,
}

/// An output.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    content: Content,
    /// Values an image; `None` for one that is not a dimension of its own.
    pub width: Option<usize>,
}

impl Output {
    /// The outputs of a model: its own, the decision, and with a reference the drift. A model's own
    /// name for an output goes before ours for another.
    pub fn all_of(served: &ServedModel) -> Vec<Self> {
        let spec = &served.spec;
        let output = |name: &str, content, width| Self { name: name.to_owned(), content, width };
        let own = &spec.outputs;
        let mut all = vec![
            output(&own.probability, Content::Probabilities, Some(spec.labels.len())),
            output(&own.embedding, Content::Embedding, Some(spec.embedding_dimension)),
        ];
        let mut ours = vec![("class", Content::Class), ("confidence", Content::Confidence)];
        if let Some(reference) = &served.reference {
            ours.push(("drift_score", Content::DriftScore));
            if reference.alpha.is_some() {
                ours.push(("p_value", Content::PValue));
                ours.push(if reference.threshold.is_some() {
                    ("out_of_distribution", Content::OutOfDistribution)
                } else {
                    ("drift_verdict", Content::DriftVerdict)
                });
            }
        }
        for (name, content) in ours {
            if all.iter().all(|output| output.name != name) {
                all.push(output(name, content, None));
            }
        }
        all
    }

    /// The type of its values.
    pub fn data_type(&self) -> DataType {
        match self.content {
            Content::Probabilities | Content::Embedding | Content::Confidence => DataType::Fp32,
            Content::Class | Content::DriftVerdict => DataType::Bytes,
            Content::DriftScore | Content::PValue => DataType::Fp64,
            Content::OutOfDistribution => DataType::Bool,
        }
    }

    fn values(&self, answers: &[Answer], served: &ServedModel) -> Result<Values, ApiError> {
        let predictions = answers.iter().map(|answer| &answer.prediction);
        let drifts = || answers.iter().map(|answer| answer.drift.as_ref());
        Ok(match self.content {
            Content::Probabilities => {
                Values::Fp32(predictions.flat_map(|p| &p.probabilities).copied().collect())
            }
            Content::Embedding => {
                Values::Fp32(predictions.flat_map(|p| &p.embedding).copied().collect())
            }
            Content::Class => {
                let class = |answer| served.class_of(answer).to_owned();
                Values::Bytes(answers.iter().map(class).collect())
            }
            Content::Confidence => Values::Fp32(predictions.map(|p| p.confidence).collect()),
            Content::DriftScore => {
                Values::Fp64(present(drifts().map(|drift| drift.map(|drift| drift.score)))?)
            }
            Content::PValue => {
                let p_value = |drift: &Assessment| drift.p_value.unwrap_or(f64::NAN);
                Values::Fp64(present(drifts().map(|drift| drift.map(p_value)))?)
            }
            Content::OutOfDistribution => Values::Bool(present(
                drifts().map(|drift| drift.and_then(|d| d.out_of_distribution)),
            )?),
            Content::DriftVerdict => {
                Values::Bytes(present(drifts().map(|drift| drift.map(verdict)))?)
            }
        })
    }
}

fn verdict(drift: &Assessment) -> String {
    match drift.out_of_distribution {
        Some(true) => "out_of_distribution",
        Some(false) => "in_distribution",
        None => "unknown",
    }
    .to_owned()
}

fn present<T>(values: impl Iterator<Item = Option<T>>) -> Result<Vec<T>, ApiError> {
    let values: Option<Vec<T>> = values.collect();
    values.ok_or_else(|| ApiError::Internal("an answer lacks what its reference gives".into()))
}

/// An output that a client wants.
#[derive(Debug, Clone)]
pub struct WantedOutput {
    output: Output,
    /// Whether its values come after the JSON.
    is_binary: bool,
    /// The number of classes to name instead of the values.
    classes: Option<usize>,
}

impl WantedOutput {
    /// What a request asks for; all outputs where it names none. `is_binary` holds where an output does
    /// not say otherwise.
    pub fn choose(
        requested: &[RequestedOutput],
        is_binary: bool,
        served: &ServedModel,
    ) -> Result<Vec<Self>, ApiError> {
        let all = Output::all_of(served);
        if requested.is_empty() {
            let wanted = |output| Self { output, is_binary, classes: None };
            return Ok(all.into_iter().map(wanted).collect());
        }
        let mut wanted: Vec<Self> = Vec::new();
        for RequestedOutput { name, parameters } in requested {
            let Some(output) = all.iter().find(|output| output.name == *name) else {
                let names: Vec<_> = all.iter().map(|output| output.name.as_str()).collect();
                return Err(invalid(format!(
                    "model `{}` has no output `{name}`: it has {}",
                    served.spec.name,
                    names.join(", ")
                )));
            };
            if wanted.iter().any(|other| other.output.name == *name) {
                return Err(invalid(format!("output `{name}` is asked for twice")));
            }
            let parameters = parameters.as_ref();
            let classes = parameters.and_then(|parameters| parameters.classification).unwrap_or(0);
            if classes > 0 && (output.data_type() != DataType::Fp32 || output.width.is_none()) {
                return Err(invalid(format!("output `{name}` has no classes to name")));
            }
            wanted.push(Self {
                output: output.clone(),
                is_binary: parameters.and_then(|p| p.binary_data).unwrap_or(is_binary),
                classes: (classes > 0).then(|| usize::try_from(classes).unwrap_or(usize::MAX)),
            });
        }
        Ok(wanted)
    }

    /// The output for answered images. Binary values are added to `binary`.
    pub fn tensor(
        &self,
        answers: &[Answer],
        served: &ServedModel,
        binary: &mut Vec<u8>,
    ) -> Result<OutputTensor<'_>, ApiError> {
        let output = &self.output;
        let mut width = output.width;
        let mut datatype = output.data_type();
        let mut values = output.values(answers, served)?;
        if let (Some(classes), Some(columns), Values::Fp32(rows)) = (self.classes, width, &values) {
            let known = output.content == Content::Probabilities;
            let labels: &[String] = if known { &served.spec.labels } else { &[] };
            let classes = classes.min(columns);
            let best = rows.chunks(columns).flat_map(|row| largest(row, classes, labels));
            values = Values::Bytes(best.collect());
            (width, datatype) = (Some(classes), DataType::Bytes);
        }
        let shape = std::iter::once(answers.len()).chain(width).collect();
        let (parameters, data) = if self.is_binary {
            let start = binary.len();
            values.write(binary).map_err(|error| ApiError::Internal(error.into()))?;
            (Some(BinaryData { binary_data_size: binary.len() - start }), None)
        } else {
            (None, Some(values))
        };
        Ok(OutputTensor { name: &output.name, datatype, shape, parameters, data })
    }
}

/// `value:index:label` of the largest values, as Triton writes them, largest first.
fn largest(row: &[f32], count: usize, labels: &[String]) -> Vec<String> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    let named = |index: usize| match labels.get(index) {
        Some(label) => format!("{:.6}:{index}:{label}", row[index]),
        None => format!("{:.6}:{index}", row[index]),
    };
    order.into_iter().take(count).map(named).collect()
}

/// An output with its values.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutputTensor<'a> {
    /// The output.
    #[schema(value_type = String)]
    name: &'a str,
    /// The type of its values.
    datatype: DataType,
    /// Its dimensions, images first.
    #[schema(value_type = Vec<u64>)]
    shape: Vec<usize>,
    /// Where its values are, if they come as binary data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameters: Option<BinaryData>,
    /// Its values in row-major order, if they are in the JSON: numbers, strings or booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>, nullable = false)]
    data: Option<Values>,
}

/// Where the values of an output are.
#[derive(Debug, Serialize, ToSchema)]
pub struct BinaryData {
    /// Bytes of its values after the JSON.
    binary_data_size: usize,
}

/// Values of one type.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// Of BOOL.
    Bool(Vec<bool>),
    /// Of FP32.
    Fp32(Vec<f32>),
    /// Of FP64.
    Fp64(Vec<f64>),
    /// Of BYTES.
    Bytes(Vec<String>),
}

impl Values {
    /// Adds them as binary data.
    pub fn write(&self, bytes: &mut Vec<u8>) -> Result<(), std::num::TryFromIntError> {
        match self {
            Self::Bool(values) => bytes.extend(values.iter().map(|value| u8::from(*value))),
            Self::Fp32(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::Fp64(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::Bytes(values) => {
                for value in values {
                    binary::push_element(bytes, value.as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Values, largest};

    #[test]
    fn classes_are_named_as_triton_does() {
        let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(largest(&[0.25, 0.7, 0.05], 2, &labels), ["0.700000:1:b", "0.250000:0:a"]);
        assert_eq!(largest(&[0.5, -1.0], 9, &[]), ["0.500000:0", "-1.000000:1"]);
    }

    #[test]
    fn binary_values_are_little_endian() {
        let write = |values: Values| {
            let mut bytes = Vec::new();
            values.write(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(write(Values::Bool(vec![true, false])), [1, 0]);
        assert_eq!(write(Values::Fp32(vec![1.0])), [0, 0, 128, 63]);
        assert_eq!(write(Values::Fp64(vec![1.0])), [0, 0, 0, 0, 0, 0, 240, 63]);
        assert_eq!(
            write(Values::Bytes(vec!["ab".into(), String::new()])),
            *b"\x02\0\0\0ab\0\0\0\0"
        );
    }
}
