//! What the server and its model are.

use actix_web::web::{Data, Json, Path};
use sdd_serving::engine::ServedModel;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::v2::input::{ENCODED_IMAGE, tensor_shape};
use crate::routes::v2::model::ModelPath;
use crate::routes::v2::output::Output;
use crate::routes::v2::tensor::DataType;
use crate::service::Service;

/// What Triton calls an ONNX file that ONNX Runtime runs.
pub const PLATFORM: &str = "onnxruntime_onnx";

/// The server.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerMetadata {
    name: &'static str,
    version: &'static str,
    /// The protocol's extensions that it knows.
    #[schema(value_type = Vec<String>)]
    extensions: &'static [&'static str],
}

/// The model. It takes exactly one of its inputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelMetadata {
    /// Its name.
    pub name: String,
    /// The served one alone.
    #[schema(value_type = Vec<String>)]
    versions: [String; 1],
    platform: &'static str,
    /// The model's own input, and encoded images.
    pub inputs: Vec<TensorMetadata>,
    /// The model's own outputs, the decision, and with a reference the drift.
    pub outputs: Vec<TensorMetadata>,
}

/// A tensor; -1 stands for the number of images.
#[derive(Debug, Serialize, ToSchema)]
pub struct TensorMetadata {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub datatype: DataType,
    /// Its dimensions, images first.
    pub shape: Vec<i64>,
}

/// What the server is
#[utoipa::path(
    get,
    path = "/v2",
    operation_id = "server_metadata",
    tag = "Open Inference Protocol",
    responses((status = 200, description = "The server", body = ServerMetadata)),
)]
pub async fn server() -> Json<ServerMetadata> {
    Json(ServerMetadata {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        extensions: &["binary_tensor_data", "classification", "model_configuration", "parameters"],
    })
}

/// The model's inputs and outputs
#[utoipa::path(
    get,
    path = "/v2/models/{name}",
    operation_id = "model_metadata",
    tag = "Open Inference Protocol",
    params(ModelPath),
    responses((status = 200, description = "The model", body = ModelMetadata)),
)]
pub async fn model(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<ModelMetadata>, ApiError> {
    let engine = service.engine();
    path.check(engine.served())?;
    Ok(Json(ModelMetadata::new(engine.served())))
}

impl ModelMetadata {
    /// Of the served model.
    pub fn new(served: &ServedModel) -> Self {
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
