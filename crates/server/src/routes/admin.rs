//! `POST /admin/reload`: model and reference anew from their files.

use actix_web::web::{Data, Json};

use crate::error::{ApiError, chain_with_way_back};
use crate::routes::blocking::off_async;
use crate::routes::model::ModelDescription;
use crate::service::Service;

/// Load model and reference anew
///
/// Loads them from the files that the settings name, warms them up and answers with them from then
/// on. Requests in flight end on the pair that they began with. One reload is done at a time.
#[utoipa::path(
    post,
    path = "/admin/reload",
    tag = "Model",
    responses((status = 200, description = "What is served now", body = ModelDescription)),
)]
pub async fn reload(service: Data<Service>) -> Result<Json<ModelDescription>, ApiError> {
    let (turn, reloading) = (service.try_reload_turn()?, service.clone());
    let reloaded = off_async(move || reloading.reload(turn)).await?;
    let engine =
        reloaded.map_err(|error| ApiError::ReloadFailed { reason: chain_with_way_back(&error) })?;
    Ok(Json(ModelDescription::from(engine.served())))
}
