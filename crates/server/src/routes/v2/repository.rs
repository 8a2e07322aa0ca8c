//! The models that there are: Triton's repository extension, as far as one model goes.

use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::error::ApiError;
use crate::service::Service;

/// A model of the repository.
#[derive(Debug, Serialize)]
pub struct IndexEntry {
    name: String,
    version: String,
    state: &'static str,
    reason: &'static str,
}

/// `POST /v2/repository/index`: the model that is served.
pub async fn index(service: Data<Service>) -> Json<[IndexEntry; 1]> {
    let engine = service.engine();
    let spec = &engine.served().spec;
    let (name, version) = (spec.name.clone(), spec.version.clone());
    let (state, reason) = if service.is_stopping() {
        ("UNAVAILABLE", "the server is stopping")
    } else {
        ("READY", "")
    };
    Json([IndexEntry { name, version, state, reason }])
}

/// `POST /v2/repository/models/{name}/load` and `…/unload`: not by this protocol, whose clients need no
/// right to administer the server.
///
/// # Errors
/// Always [`ApiError::NotSupported`].
pub async fn load() -> Result<Json<()>, ApiError> {
    Err(ApiError::NotSupported {
        what: "models are not loaded or unloaded by this protocol: POST /admin/reload, or SIGHUP, loads the model anew from its file",
    })
}
