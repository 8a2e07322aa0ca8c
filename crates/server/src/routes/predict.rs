//! `POST /predict`: one image in, class, confidence and drift score out.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Payload};
use sdd_core::{ImageError, Probabilities};
use sdd_drift::Assessment;
use serde::Serialize;

use super::upload::{self, Upload, UploadLimits};
use crate::error::ApiError;
use crate::inference::{Answer, Inference, ServedModel};

/// The body of an answer.
#[derive(Debug, Serialize)]
pub struct Prediction {
    /// The decided class.
    pub class: String,
    /// Probability of that class, in [0, 1].
    pub confidence: f32,
    /// Probability of every class.
    pub probabilities: Probabilities,
    /// How the image compares with what the model was trained on; left out without a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Assessment>,
    /// The model that answered.
    pub model: Model,
}

/// The model that answered.
#[derive(Debug, Serialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Takes `multipart/form-data` with the image in the field `file`.
pub async fn predict(
    request: HttpRequest,
    body: Payload,
    inference: Data<Inference>,
    model: Data<ServedModel>,
    limits: Data<UploadLimits>,
) -> Result<Json<Prediction>, ApiError> {
    let Upload { bytes, content_type } = upload::read(&request, body, &limits).await?;
    let answer = inference.classify(bytes).await.map_err(|error| match (error, content_type) {
        // What is no image and was not sent as one has the wrong type, rather than being broken.
        (ApiError::Image(ImageError::NotAnImage), Some(found)) if !may_be_image(&found) => {
            ApiError::NotAnImageType { found }
        }
        (error, _) => error,
    })?;
    Ok(Json(Prediction::new(answer, &model)))
}

fn may_be_image(content_type: &str) -> bool {
    content_type.starts_with("image/") || content_type == "application/octet-stream"
}

impl Prediction {
    fn new(answer: Answer, model: &ServedModel) -> Self {
        let Answer { prediction, drift } = answer;
        Self {
            class: model.labels[prediction.class_index].clone(),
            confidence: prediction.confidence,
            probabilities: prediction.probabilities_of(&model.labels),
            drift,
            model: Model { name: model.name.clone(), version: model.version.clone() },
        }
    }
}
