//! `POST /embed`: the model's embedding of an image.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Payload};
use sdd_core::Prediction;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::request::Context;
use crate::routes::bodies::ImageForm;
use crate::routes::classify;
use crate::routes::prediction::{Model, Warning};
use crate::service::Service;

/// The embedding of an image.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the interface")]
pub struct Embedding {
    /// The penultimate average pool, not normalized.
    pub embedding: Vec<f32>,
    /// Number of its values.
    pub dimension: usize,
    /// The decided class of the image.
    pub class: String,
    /// What is odd about the image, which was read all the same; left out where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<Warning>,
    /// The model that answered.
    pub model: Model,
}

/// Embed an image
///
/// Takes an image as `POST /predict` does, and answers with the model's embedding of it.
#[utoipa::path(
    post,
    path = "/embed",
    tag = "Images",
    request_body(content((ImageForm = "multipart/form-data"))),
    responses((status = 200, description = "The embedding", body = Embedding)),
)]
pub async fn embed(
    request: HttpRequest,
    body: Payload,
    service: Data<Service>,
    context: Context,
) -> Result<Json<Embedding>, ApiError> {
    let (engine, answer) = classify::one(&request, body, &service, &context, false).await?;
    let served = engine.served();
    let class = served.class_of(&answer).to_owned();
    let Prediction { embedding, warning, .. } = answer.prediction;
    Ok(Json(Embedding {
        dimension: embedding.len(),
        embedding,
        class,
        warnings: warning.map(Warning::from).into_iter().collect(),
        model: Model::from(served),
    }))
}
