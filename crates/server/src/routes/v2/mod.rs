//! The Open Inference Protocol v2 over HTTP, as KServe, Triton and others speak it, with the binary
//! tensor data and the classification extension.
//!
//! A request flows through these modules in this order: [`infer`] reads the body ([`compression`]),
//! [`request`] is its JSON, [`input`] makes the engine's inputs of it ([`binary`], [`tensor`]);
//! [`output`] makes tensors of the engine's answers, and [`response`] the body.

mod binary;
mod compression;
mod error;
mod health;
mod infer;
mod input;
mod metadata;
mod model;
mod output;
mod repository;
mod request;
mod response;
mod tensor;

use actix_web::web::{self, PathConfig, ServiceConfig};

pub use error::errors_of_protocol;

use super::{get, post, readable};
use crate::error::ApiError;

/// Adds the paths of the protocol.
pub fn configure(service: &mut ServiceConfig) {
    service
        .app_data(PathConfig::default().error_handler(|_, request| {
            ApiError::NotFound { path: request.path().to_owned() }.into()
        }))
        .service(readable("/v2", get(metadata::server)))
        .service(readable("/v2/health/live", get(health::live)))
        .service(readable("/v2/health/ready", get(health::ready)))
        .service(post("/v2/repository/index", web::post().to(repository::index)))
        .service(post("/v2/repository/models/{name}/load", web::post().to(repository::load)))
        .service(post("/v2/repository/models/{name}/unload", web::post().to(repository::load)));
    for model in ["/v2/models/{name}", "/v2/models/{name}/versions/{version}"] {
        service
            .service(readable(model, get(metadata::model)))
            .service(readable(&format!("{model}/ready"), get(health::model_ready)))
            .service(readable(&format!("{model}/config"), get(metadata::config)))
            .service(post(&format!("{model}/infer"), web::post().to(infer::infer)));
    }
}
