//! `GET /v1/model`: what is served.

use actix_web::web::{Data, Json};
use sdd_core::ModelSpec;
use sdd_serving::engine::{ServedModel, ServedReference};
use serde::Serialize;
use utoipa::ToSchema;

use crate::contract::GuardedFaults;
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
    pub reference: Option<Reference>,
}

/// The reference that images are compared with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reference {
    /// Which generation of its store, as `drift-index show --history` numbers them.
    pub generation: u64,
    /// SHA-256 of that generation, 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub checksum: String,
    /// Number of reference images.
    pub images: usize,
    /// Name of the score, as `knn`.
    pub method: String,
    /// Scores above it are out of distribution; `null` without a calibration, and where each predicted
    /// class has its own.
    #[schema(required = true)]
    pub threshold: Option<f64>,
    /// The false-alarm rate that the threshold was calibrated for; `null` without a calibration.
    #[schema(required = true)]
    pub alpha: Option<f64>,
    /// Number of calibration images; `null` without a calibration.
    #[schema(required = true)]
    pub calibration_images: Option<usize>,
}

/// What is served
#[utoipa::path(
    get,
    path = "/v1/model",
    tag = "Model",
    responses(
        (status = 200, description = "Model and reference", body = ModelDescription),
        GuardedFaults,
    ),
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
            reference: served.reference.as_ref().map(Reference::from),
        }
    }
}

impl From<&ServedReference> for Reference {
    fn from(served: &ServedReference) -> Self {
        Self {
            generation: served.generation,
            checksum: served.checksum.clone(),
            images: served.images,
            method: served.method.clone(),
            threshold: served.threshold,
            alpha: served.alpha,
            calibration_images: served.calibration_images,
        }
    }
}
