//! The body of an inference's answer.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_ENCODING, VARY};
use sdd_serving::engine::{Answer, ServedModel};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::request::INFERENCE_HEADER_LENGTH;
use crate::routes::v2::compression::Coding;
use crate::routes::v2::output::{OutputTensor, WantedOutput};

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
    #[schema(value_type = Vec<OutputTensor>)]
    outputs: Vec<OutputTensor<'a>>,
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
    pub fn write(
        &self,
        answers: &[Answer],
        served: &ServedModel,
    ) -> Result<WrittenAnswer, ApiError> {
        let mut binary = Vec::new();
        let outputs = self.outputs.iter().map(|wanted| wanted.tensor(answers, served, &mut binary));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
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
