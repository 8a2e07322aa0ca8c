//! `GET /v1/model`: what is served.

use actix_web::web::{Data, Json};
use sdd_core::ModelSpec;
use sdd_serving::engine::{ServedModel, ServedReference};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::Service;

/// The model that is served, and the reference that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelDescription {
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// SHA-256 of the model file, 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Where it runs: `cpu` or `cuda:N`.
    pub device: String,
    /// The ONNX Runtime execution provider: `CPUExecutionProvider` or `CUDAExecutionProvider`.
    pub provider: &'static str,
    /// What the model says of itself: labels, preprocessing, decision rule, outputs.
    pub spec: ModelSpec,
    /// The reference; `null` without one.
    #[schema(required = true)]
    pub reference: Option<ServedReference>,
}

/// What is served
#[utoipa::path(
    get,
    path = "/v1/model",
    tag = "Model",
    responses((status = 200, description = "Model and reference", body = ModelDescription)),
)]
pub async fn model(service: Data<Service>) -> Json<ModelDescription> {
    Json(ModelDescription::from(service.engine().served()))
}

impl From<&ServedModel> for ModelDescription {
    fn from(served: &ServedModel) -> Self {
        Self {
            name: served.spec.name.clone(),
            version: served.spec.version.clone(),
            sha256: served.sha256.clone(),
            device: served.device.to_string(),
            provider: served.device.execution_provider(),
            spec: served.spec.clone(),
            reference: served.reference.clone(),
        }
    }
}
