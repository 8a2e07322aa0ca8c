//! The JSON of an inference request.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::v2::tensor::{AtMost, Shape};

/// Inputs that are read at most; one of them more than any model here takes is enough to tell.
const MAX_INPUTS: usize = 16;

/// Outputs that a request may ask for.
const MAX_OUTPUTS: usize = 64;

/// What a request looks like, for those who know other protocols.
const EXPECTED: &str = r#"{"inputs": [{"name": "encoded_image", "shape": [1], "datatype": "BYTES", "data": ["the image in base64"]}]}"#;

/// An inference request. What it has beside these fields is left alone, as the protocol has it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InferRequest<'a> {
    /// The client's name for the request.
    #[serde(default)]
    pub id: Option<String>,
    /// How to answer.
    #[serde(default)]
    pub parameters: Option<Parameters>,
    /// The tensors: exactly one.
    #[serde(borrow)]
    #[schema(value_type = Vec<InputTensor>, min_items = 1, max_items = 1)]
    pub inputs: AtMost<InputTensor<'a>, MAX_INPUTS>,
    /// What to answer with; all where nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RequestedOutput>>)]
    pub outputs: Option<AtMost<RequestedOutput, MAX_OUTPUTS>>,
}

/// Parameters of a request.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = InferParameters)]
pub struct Parameters {
    /// Whether all outputs come as binary data, where an output does not say otherwise.
    #[serde(default)]
    pub binary_data_output: Option<bool>,
    /// Microseconds that the client will wait; 0 for any time.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// The camera or line that the images come from.
    #[serde(default)]
    pub stream: Option<String>,
    /// The part, tray or shift that they are of.
    #[serde(default)]
    pub group: Option<String>,
}

/// A tensor that a client sends.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InputTensor<'a> {
    /// The input that it is for.
    pub name: String,
    /// Its dimensions, images first.
    #[schema(value_type = Vec<u64>)]
    pub shape: Shape,
    /// Its type: FP32 or BYTES.
    #[schema(pattern = "^(FP32|BYTES)$")]
    pub datatype: String,
    /// Where its values are.
    #[serde(default)]
    pub parameters: Option<InputParameters>,
    /// Its values, where they are in the JSON: numbers, or images in base64, in row-major order, flat or
    /// nested.
    #[serde(default, borrow)]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    pub data: Option<&'a RawValue>,
}

/// Parameters of an input.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct InputParameters {
    /// Bytes of its values after the JSON.
    #[serde(default)]
    pub binary_data_size: Option<u64>,
    #[serde(default)]
    #[schema(ignore)]
    shared_memory_region: Option<IgnoredAny>,
}

/// An output that a client asks for.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RequestedOutput {
    /// The output.
    pub name: String,
    /// How it should come.
    #[serde(default)]
    pub parameters: Option<OutputParameters>,
}

/// Parameters of an output.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct OutputParameters {
    /// Whether it comes as binary data.
    #[serde(default)]
    pub binary_data: Option<bool>,
    /// The number of classes to name, by the largest values, instead of the values; 0 for the values.
    #[serde(default)]
    pub classification: Option<u64>,
    #[serde(default)]
    #[schema(ignore)]
    shared_memory_region: Option<IgnoredAny>,
}

impl<'a> InferRequest<'a> {
    /// Reads a request.
    pub fn from_json(json: &'a [u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(json).map_err(|error| {
            invalid(format!("the JSON is not an inference request: {error}; expected {EXPECTED}"))
        })?;
        let inputs = request.inputs.0.iter().filter_map(|input| input.parameters.as_ref());
        let outputs = request.outputs.iter().flat_map(|outputs| &outputs.0);
        let outputs = outputs.filter_map(|output| output.parameters.as_ref());
        let shared = inputs
            .map(|parameters| &parameters.shared_memory_region)
            .chain(outputs.map(|parameters| &parameters.shared_memory_region))
            .any(Option::is_some);
        if shared {
            return Err(ApiError::NotSupported {
                what: "shared memory is not supported: send tensors in the request",
            });
        }
        Ok(request)
    }
}

/// A request that this model cannot answer.
pub fn invalid(reason: impl Into<String>) -> ApiError {
    ApiError::InvalidInference { reason: reason.into() }
}
