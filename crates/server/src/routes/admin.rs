//! `POST /admin/reload`: model and reference anew from their files.

use actix_web::web::{Data, Json};
use sdd_serving::causes::chain_of;

use super::blocking::off_async;
use super::model::ModelDescription;
use crate::contract::ReloadFaults;
use crate::error::ApiError;
use crate::service::Service;

/// Load model and reference anew
///
/// Loads them from the files that the settings name, warms them up and answers with them from then
/// on. Requests in flight end on the pair that they began with. One reload is done at a time.
///
/// # Errors
/// [`ApiError::ReloadInProgress`]; [`ApiError::ReloadFailed`], then the old pair goes on answering.
#[utoipa::path(
    post,
    path = "/admin/reload",
    tag = "Model",
    responses(
        (status = 200, description = "What is served now", body = ModelDescription),
        ReloadFaults,
    ),
)]
pub async fn reload(service: Data<Service>) -> Result<Json<ModelDescription>, ApiError> {
    let (turn, reloading) = (service.try_reload_turn()?, service.clone());
    let reloaded = off_async(move || reloading.reload(turn)).await?;
    let engine = reloaded.map_err(|error| ApiError::ReloadFailed { reason: chain_of(&error) })?;
    Ok(Json(ModelDescription::from(engine.served())))
}
