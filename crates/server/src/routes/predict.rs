//! `POST /predict` and `POST /predict/batch`: images in, class, confidence and drift score out.

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, ResponseError};
use sdd_serving::engine::ServedModel;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Fault};
use crate::request::Context;
use crate::routes::bodies::{ImageForm, ImagesForm, OriginHeaders};
use crate::routes::classify::{self, Item};
use crate::routes::prediction::{Model, Prediction};
use crate::service::Service;

/// Classify an image
///
/// One image, as `multipart/form-data` in the field `file` or as the body itself.
#[utoipa::path(
    post,
    path = "/predict",
    tag = "Images",
    params(OriginHeaders),
    request_body(content((ImageForm = "multipart/form-data"))),
    responses((status = 200, description = "The answer", body = Prediction)),
)]
pub async fn predict(
    request: HttpRequest,
    body: Payload,
    service: Data<Service>,
    context: Context,
) -> Result<Json<Prediction>, ApiError> {
    let keep = service.capture.is_some();
    let (engine, answer) = classify::one(&request, body, &service, &context, keep).await?;
    service.remember(&context, &engine, [&answer]).await;
    Ok(Json(Prediction::new(answer, engine.served())))
}

/// The body of an answer to several images.
#[derive(Debug, Serialize, ToSchema)]
pub struct Predictions {
    /// One for each image, in the order in which they came.
    pub predictions: Vec<NamedPrediction>,
    /// The model that answered.
    pub model: Model,
}

/// What one of several images came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NamedPrediction {
    /// It was classified.
    Answered {
        /// The file's name, where the client gave one.
        #[schema(required = true)]
        file: Option<String>,
        /// The answer.
        #[serde(flatten)]
        prediction: Box<Prediction>,
    },
    /// It could not be classified.
    Refused {
        /// The file's name, where the client gave one.
        #[schema(required = true)]
        file: Option<String>,
        /// What was wrong with it.
        error: Fault,
    },
}

/// Classify several images
///
/// Each in a field `file` of `multipart/form-data`. An image that cannot be classified has its own
/// error and does no harm to the others; where none can be, the answer is an error, the gravest one.
#[utoipa::path(
    post,
    path = "/predict/batch",
    tag = "Images",
    params(OriginHeaders),
    request_body(content((ImagesForm = "multipart/form-data"))),
    responses((status = 200, description = "An answer for each image, in their order", body = Predictions)),
)]
pub async fn predict_batch(
    request: HttpRequest,
    body: Payload,
    service: Data<Service>,
    context: Context,
) -> Result<Json<Predictions>, ApiError> {
    let keep = service.capture.is_some();
    let (engine, items) = classify::many(&request, body, &service, &context, keep).await?;
    let items = some_answered(items)?;
    let answers = items.iter().filter_map(|item| item.answer.as_ref().ok());
    service.remember(&context, &engine, answers).await;
    let served = engine.served();
    let predictions = items.into_iter().map(|item| NamedPrediction::new(item, served)).collect();
    Ok(Json(Predictions { predictions, model: Model::from(served) }))
}

/// The items, unless none could be answered: that is no success.
///
/// The error is the gravest of what was wrong, the first of its kind.
fn some_answered(items: Vec<Item>) -> Result<Vec<Item>, ApiError> {
    if items.iter().any(|item| item.answer.is_ok()) {
        return Ok(items);
    }
    let count = items.len();
    let errors = items.into_iter().enumerate().filter_map(|(index, item)| {
        item.answer.err().map(|error| classify::of_image(error, index, count))
    });
    let gravest =
        errors.reduce(
            |gravest, error| {
                if error.status_code() > gravest.status_code() { error } else { gravest }
            },
        );
    Err(gravest.unwrap_or(ApiError::MissingFile))
}

impl NamedPrediction {
    fn new(item: Item, served: &ServedModel) -> Self {
        let Item { file_name: file, answer } = item;
        match answer {
            Ok(answer) => {
                Self::Answered { file, prediction: Box::new(Prediction::new(answer, served)) }
            }
            Err(error) => {
                error.log_internal();
                Self::Refused { file, error: error.fault() }
            }
        }
    }
}
