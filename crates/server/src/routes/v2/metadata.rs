//! What the server and its model are.

use actix_web::web::{Data, Json, Path};
use sdd_core::Device;
use serde::Serialize;
use serde_json::{Value, json};

use super::input::{ENCODED_IMAGE, tensor_shape};
use super::model::ModelPath;
use super::output::Output;
use super::tensor::DataType;
use crate::engine::ServedModel;
use crate::error::ApiError;
use crate::service::Service;

/// What Triton calls an ONNX file that ONNX Runtime runs.
const PLATFORM: &str = "onnxruntime_onnx";

/// The server.
#[derive(Debug, Serialize)]
pub struct ServerMetadata {
    name: &'static str,
    version: &'static str,
    extensions: &'static [&'static str],
}

/// The model. It takes exactly one of its inputs.
#[derive(Debug, Serialize)]
pub struct ModelMetadata {
    name: String,
    versions: [String; 1],
    platform: &'static str,
    inputs: Vec<TensorMetadata>,
    outputs: Vec<TensorMetadata>,
}

/// A tensor; -1 stands for the number of images.
#[derive(Debug, Serialize)]
pub struct TensorMetadata {
    name: String,
    datatype: DataType,
    shape: Vec<i64>,
}

/// `GET /v2`.
pub async fn server() -> Json<ServerMetadata> {
    Json(ServerMetadata {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        extensions: &["binary_tensor_data", "classification", "model_configuration", "parameters"],
    })
}

/// `GET /v2/models/{name}[/versions/{version}]`.
///
/// # Errors
/// [`ApiError::UnknownModel`].
pub async fn model(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<ModelMetadata>, ApiError> {
    let engine = service.engine();
    path.check(engine.served())?;
    Ok(Json(ModelMetadata::new(engine.served())))
}

/// `GET /v2/models/{name}[/versions/{version}]/config`: as far as Triton's model configuration has
/// names for it.
///
/// # Errors
/// [`ApiError::UnknownModel`].
pub async fn config(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<Value>, ApiError> {
    let engine = service.engine();
    let served = engine.served();
    path.check(served)?;
    let settings = &service.settings;
    Ok(Json(configuration(
        served,
        settings.limits.max_images.min(service.admission.limit()),
        settings.model.sessions(served.device),
    )))
}

impl ModelMetadata {
    fn new(served: &ServedModel) -> Self {
        let outputs = Output::all_of(served).into_iter().map(|output| TensorMetadata {
            datatype: output.data_type(),
            shape: std::iter::once(-1).chain(output.width.map(length)).collect(),
            name: output.name,
        });
        let tensor = tensor_shape(&served.spec).map(|length| length.map_or(-1, u64::cast_signed));
        Self {
            name: served.spec.name.clone(),
            versions: [served.spec.version.clone()],
            platform: PLATFORM,
            inputs: vec![
                TensorMetadata {
                    name: served.spec.input.clone(),
                    datatype: DataType::Fp32,
                    shape: tensor.to_vec(),
                },
                TensorMetadata {
                    name: ENCODED_IMAGE.to_owned(),
                    datatype: DataType::Bytes,
                    shape: vec![-1],
                },
            ],
            outputs: outputs.collect(),
        }
    }
}

fn length(width: usize) -> i64 {
    i64::try_from(width).unwrap_or(i64::MAX)
}

/// Dimensions are those of one image, as Triton has them for models that take batches.
fn configuration(served: &ServedModel, max_batch_size: usize, sessions: usize) -> Value {
    let metadata = ModelMetadata::new(served);
    let input = |tensor: &TensorMetadata| {
        json!({
            "name": tensor.name,
            "data_type": tensor.datatype.configuration_name(),
            "dims": tensor.shape[1..],
            // Exactly one of the inputs comes.
            "optional": true,
        })
    };
    let output = |tensor: &TensorMetadata| {
        json!({
            "name": tensor.name,
            "data_type": tensor.datatype.configuration_name(),
            "dims": tensor.shape[1..],
        })
    };
    let file = served.path.file_name().map(|name| name.to_string_lossy());
    json!({
        "name": metadata.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": { "latest": { "num_versions": 1 } },
        "max_batch_size": max_batch_size,
        "input": metadata.inputs.iter().map(input).collect::<Vec<_>>(),
        "output": metadata.outputs.iter().map(output).collect::<Vec<_>>(),
        "instance_group": [{
            "name": metadata.name,
            "kind": if served.device == Device::Cpu { "KIND_CPU" } else { "KIND_GPU" },
            "count": sessions,
        }],
        "default_model_filename": file,
        "parameters": { "labels": { "string_value": served.spec.labels.join(",") } },
    })
}
