//! The model as Triton's model configuration has it.

use actix_web::web::{Data, Json, Path};
use sdd_core::Device;
use sdd_serving::engine::ServedModel;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::v2::metadata::{ModelMetadata, PLATFORM, TensorMetadata};
use crate::routes::v2::model::ModelPath;
use crate::service::Service;

/// The model's configuration. Dimensions are those of one image, as Triton has them for models that
/// take batches.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelConfiguration {
    name: String,
    platform: &'static str,
    backend: &'static str,
    #[schema(value_type = Object)]
    version_policy: Value,
    /// Images in one request at most.
    max_batch_size: usize,
    /// Exactly one of them comes.
    input: Vec<InputConfiguration>,
    output: Vec<OutputConfiguration>,
    instance_group: Vec<InstanceGroup>,
    #[schema(required = true)]
    default_model_filename: Option<String>,
    /// The labels, with commas between them.
    #[schema(value_type = Object)]
    parameters: Value,
}

/// An input of the model.
#[derive(Debug, Serialize, ToSchema)]
struct InputConfiguration {
    name: String,
    data_type: &'static str,
    dims: Vec<i64>,
    optional: bool,
}

/// An output of the model.
#[derive(Debug, Serialize, ToSchema)]
struct OutputConfiguration {
    name: String,
    data_type: &'static str,
    dims: Vec<i64>,
}

/// The sessions that run the model.
#[derive(Debug, Serialize, ToSchema)]
struct InstanceGroup {
    name: String,
    /// `KIND_CPU` or `KIND_GPU`.
    kind: &'static str,
    count: usize,
}

impl ModelConfiguration {
    /// Of the served model, which takes `max_batch_size` images in one request and runs in so many
    /// `sessions`.
    pub fn new(served: &ServedModel, max_batch_size: usize, sessions: usize) -> Self {
        let metadata = ModelMetadata::new(served);
        let file = served.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let kind = if served.device == Device::Cpu { "KIND_CPU" } else { "KIND_GPU" };
        Self {
            platform: PLATFORM,
            backend: "onnxruntime",
            version_policy: json!({ "latest": { "num_versions": 1 } }),
            max_batch_size,
            input: metadata.inputs.into_iter().map(InputConfiguration::from).collect(),
            output: metadata.outputs.into_iter().map(OutputConfiguration::from).collect(),
            instance_group: vec![InstanceGroup {
                name: metadata.name.clone(),
                kind,
                count: sessions,
            }],
            default_model_filename: file,
            parameters: json!({ "labels": { "string_value": served.spec.labels.join(",") } }),
            name: metadata.name,
        }
    }
}

/// The model's configuration
///
/// As far as Triton's model configuration has names for it.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/config",
    operation_id = "model_configuration",
    tag = "Open Inference Protocol",
    params(ModelPath),
    responses((status = 200, description = "The configuration", body = ModelConfiguration)),
)]
pub async fn config(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<ModelConfiguration>, ApiError> {
    let engine = service.engine();
    let served = engine.served();
    path.check(served)?;
    Ok(Json(ModelConfiguration::new(served, service.max_images(), served.sessions)))
}

impl From<TensorMetadata> for InputConfiguration {
    fn from(tensor: TensorMetadata) -> Self {
        Self {
            dims: tensor.shape[1..].to_vec(),
            data_type: tensor.datatype.configuration_name(),
            name: tensor.name,
            optional: true,
        }
    }
}

impl From<TensorMetadata> for OutputConfiguration {
    fn from(tensor: TensorMetadata) -> Self {
        Self {
            dims: tensor.shape[1..].to_vec(),
            data_type: tensor.datatype.configuration_name(),
            name: tensor.name,
        }
    }
}
