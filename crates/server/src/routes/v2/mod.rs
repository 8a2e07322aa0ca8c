//! The Open Inference Protocol v2 over HTTP, as KServe, Triton and others speak it, with the binary
//! tensor data and the classification extension.
//!
//! A request flows through these modules in this order: [`infer`] reads the body ([`compression`]),
//! [`request`] is its JSON, [`input`] makes the engine's inputs of it ([`binary`], [`tensor`]);
//! [`output`] makes tensors of the engine's answers, and [`response`] the body.

mod binary;
mod compression;
pub mod configuration;
mod error;
pub mod health;
pub mod infer;
mod input;
pub mod metadata;
mod model;
mod output;
pub mod repository;
mod request;
mod response;
mod tensor;

use actix_web::Route;
use actix_web::web::{self, PathConfig};

pub use error::errors_of_protocol;

use crate::error::ApiError;
use crate::routes::method::{READ, get};

/// What is said of a path whose parts cannot be read.
pub fn path_config() -> PathConfig {
    PathConfig::default()
        .error_handler(|_, request| ApiError::NotFound { path: request.path().to_owned() }.into())
}

/// The paths of the protocol, the methods that they take, and what answers.
pub fn routes() -> Vec<(String, &'static str, Route)> {
    let mut routes = vec![
        ("/v2".into(), READ, get(metadata::server)),
        ("/v2/health/live".into(), READ, get(health::live)),
        ("/v2/health/ready".into(), READ, get(health::ready)),
        ("/v2/repository/index".into(), "POST", web::post().to(repository::index)),
    ];
    for model in ["/v2/models/{name}", "/v2/models/{name}/versions/{version}"] {
        routes.extend([
            (model.to_owned(), READ, get(metadata::model)),
            (format!("{model}/ready"), READ, get(health::model_ready)),
            (format!("{model}/config"), READ, get(configuration::config)),
            (format!("{model}/infer"), "POST", web::post().to(infer::infer)),
        ]);
    }
    routes
}
