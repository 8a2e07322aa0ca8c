//! The body of an inference's answer.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_ENCODING, VARY};
use sdd_serving::engine::{Answer, ServedModel};
use serde::Serialize;
use utoipa::ToSchema;

use super::compression::Coding;
use super::output::{OutputTensor, Values, WantedOutput};
use super::tensor::DataType;
use crate::error::ApiError;
use crate::request::INFERENCE_HEADER_LENGTH;

/// The answer to an inference request.
#[derive(Serialize, ToSchema)]
pub struct InferResponse<'a> {
    /// The model that answered.
    #[schema(value_type = String)]
    model_name: &'a str,
    /// Its version.
    #[schema(value_type = String)]
    model_version: &'a str,
    /// The client's name for the request, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    id: Option<&'a str>,
    /// Beside the outputs; left out where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameters: Option<ResponseParameters>,
    /// One tensor for each output, in the order in which they were asked for.
    #[schema(value_type = Vec<TensorJson>)]
    outputs: Vec<TensorJson<'a>>,
}

/// What is said beside the outputs.
#[derive(Serialize, ToSchema)]
pub struct ResponseParameters {
    /// What is odd about images, which were read all the same: each by its place from 0, with its code.
    #[schema(example = "0: stray_bytes")]
    warnings: String,
}

impl ResponseParameters {
    fn of(answers: &[Answer]) -> Option<Self> {
        let warnings: Vec<String> = answers
            .iter()
            .enumerate()
            .filter_map(|(place, answer)| Some((place, answer.prediction.warning?)))
            .map(|(place, warning)| format!("{place}: {}", warning.code()))
            .collect();
        (!warnings.is_empty()).then(|| Self { warnings: warnings.join(", ") })
    }
}

/// An output with its values.
#[derive(Serialize, ToSchema)]
#[schema(as = OutputTensor)]
pub struct TensorJson<'a> {
    /// The output.
    #[schema(value_type = String)]
    name: &'a str,
    /// The type of its values.
    datatype: DataType,
    /// Its dimensions, images first.
    #[schema(value_type = Vec<u64>)]
    shape: &'a [usize],
    /// Where its values are, if they come as binary data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameters: Option<BinaryData>,
    /// Its values in row-major order, if they are in the JSON: numbers, strings or booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>, nullable = false)]
    data: Option<&'a Values>,
}

/// Where the values of an output are.
#[derive(Serialize, ToSchema)]
pub struct BinaryData {
    /// Bytes of its values after the JSON.
    binary_data_size: usize,
}

/// How an answer is to be written.
#[derive(Debug)]
pub struct AnswerForm {
    /// The client's name for the request.
    pub id: Option<String>,
    /// The outputs that it wants.
    pub outputs: Vec<WantedOutput>,
    /// How it wants the body compressed.
    pub coding: Option<Coding>,
}

/// A written answer.
#[derive(Debug)]
pub struct WrittenAnswer {
    bytes: Vec<u8>,
    /// Bytes of JSON, where others follow them.
    json_length: Option<usize>,
    coding: Option<Coding>,
}

impl AnswerForm {
    /// Writes the answers for the images of a request. Blocks for as long as compressing takes.
    ///
    /// # Errors
    /// [`ApiError::Internal`].
    pub fn write(
        &self,
        answers: &[Answer],
        served: &ServedModel,
    ) -> Result<WrittenAnswer, ApiError> {
        let tensors = self.outputs.iter().map(|wanted| wanted.tensor(answers, served));
        let tensors = tensors.collect::<Result<Vec<OutputTensor<'_>>, _>>()?;
        let mut binary = Vec::new();
        let mut outputs = Vec::new();
        for (wanted, tensor) in self.outputs.iter().zip(&tensors) {
            let start = binary.len();
            if wanted.is_binary {
                tensor.values.write(&mut binary).map_err(internal)?;
            }
            let binary_data_size = binary.len() - start;
            outputs.push(TensorJson {
                name: tensor.name,
                datatype: tensor.data_type,
                shape: &tensor.shape,
                parameters: wanted.is_binary.then_some(BinaryData { binary_data_size }),
                data: (!wanted.is_binary).then_some(&tensor.values),
            });
        }
        let response = InferResponse {
            model_name: &served.spec.name,
            model_version: &served.spec.version,
            id: self.id.as_deref(),
            parameters: ResponseParameters::of(answers),
            outputs,
        };
        let mut bytes = serde_json::to_vec(&response).map_err(internal)?;
        let json_length = (!binary.is_empty()).then_some(bytes.len());
        bytes.extend(binary);
        if let Some(coding) = self.coding {
            bytes = coding.compress(&bytes).map_err(internal)?;
        }
        Ok(WrittenAnswer { bytes, json_length, coding: self.coding })
    }
}

impl From<WrittenAnswer> for HttpResponse {
    fn from(answer: WrittenAnswer) -> Self {
        let mut response = Self::Ok();
        response.insert_header((VARY, "accept-encoding"));
        if let Some(coding) = answer.coding {
            response.insert_header((CONTENT_ENCODING, coding.name()));
        }
        if let Some(length) = answer.json_length {
            response.insert_header((INFERENCE_HEADER_LENGTH, length));
            response.content_type("application/octet-stream");
        } else {
            response.content_type("application/json");
        }
        response.body(answer.bytes)
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> ApiError {
    ApiError::Internal(error.into())
}
