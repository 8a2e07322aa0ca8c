//! `GET /drift`, `GET /drift/observations`, `GET /drift/history`, `POST /admin/drift/reset`: drift over time.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Query};
use sdd_monitor::{MonitorReport, Page, PairId, StoredObservation, Stretch};
use sdd_serving::WatchedPair;
use sdd_serving::recording::{Recorder, RecordingStatus, Unread};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, Shortage};
use crate::service::Service;

/// Observations in one answer unless fewer are asked for.
const DEFAULT_LIMIT: usize = 100;

/// Observations in one answer at most.
const MAX_LIMIT: usize = 1000;

/// Drift over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftOverTime {
    /// Verdict, reasons and numbers.
    #[serde(flatten)]
    pub report: MonitorReport,
    /// The model and the reference that it is about: those that answer now.
    pub pair: PairId,
    /// The strangest pictures of the window with their nearest reference images, strangest first, each once.
    pub strangest: Vec<StoredObservation>,
    /// Whether predictions are being recorded.
    pub recording: RecordingStatus,
}

/// Some observations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Observations {
    /// Latest first.
    pub observations: Vec<StoredObservation>,
    /// Ask with `before` set to this for those that come next; none where there are no more.
    #[schema(required = true)]
    pub next_before: Option<u64>,
}

/// Stretches in one answer at most.
const MAX_STRETCHES: usize = 500;

/// How the stream went.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftHistory {
    /// The epoch that it is of: the present one.
    pub epoch: u64,
    /// Stretches of as many images each, oldest first; of the last 100,000 images of the epoch that are kept.
    pub stretches: Vec<Stretch>,
}

/// In how many stretches.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Fineness {
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 60)]
    stretches: Option<usize>,
}

/// Which observations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Only those with a smaller `sequence`.
    #[param(minimum = 1)]
    before: Option<u64>,
}

/// Has what comes in changed?
///
/// The verdict over all images that the model and reference of now have answered, by groups (parts, trays, shifts): one
/// number for appearance, properties of the picture and the mix of classes, each stream by itself, and the strangest images.
#[utoipa::path(
    get,
    path = "/drift",
    tag = "Drift",
    responses((status = 200, description = "The verdict", body = DriftOverTime)),
)]
pub async fn drift(service: Data<Service>) -> Result<Json<DriftOverTime>, ApiError> {
    let pair = watched(&service)?;
    let drift = recorder(&service)?.drift(&pair).await.map_err(unread)?;
    Ok(Json(DriftOverTime {
        report: drift.report,
        pair: pair.id.clone(),
        strangest: drift.strangest,
        recording: recorder(&service)?.recording(),
    }))
}

/// The predictions behind the verdict
#[utoipa::path(
    get,
    path = "/drift/observations",
    tag = "Drift",
    params(Wanted),
    responses((status = 200, description = "Some of them", body = Observations)),
)]
pub async fn observations(
    request: HttpRequest,
    service: Data<Service>,
) -> Result<Json<Observations>, ApiError> {
    let page = Wanted::of(&request)?;
    let pair = watched(&service)?;
    let observations = recorder(&service)?.observations(&pair, page).await.map_err(unread)?;
    let last = observations.last().map(|last| last.sequence);
    let next_before = last.filter(|last| observations.len() == page.limit && *last > 1);
    Ok(Json(Observations { observations, next_before }))
}

/// How the stream went
///
/// For curves: the present epoch in stretches of as many images each, with the share out of distribution, its
/// interval, the evidence of drift and what the pictures are like.
#[utoipa::path(
    get,
    path = "/drift/history",
    tag = "Drift",
    params(Fineness),
    responses((status = 200, description = "Its stretches", body = DriftHistory)),
)]
pub async fn history(
    request: HttpRequest,
    service: Data<Service>,
) -> Result<Json<DriftHistory>, ApiError> {
    let wanted: Fineness = query(&request)?;
    let most =
        within("stretches", wanted.stretches.unwrap_or(Stretch::USUAL_NUMBER), MAX_STRETCHES)?;
    let pair = watched(&service)?;
    let (epoch, stretches) = recorder(&service)?.history(&pair, most).await.map_err(unread)?;
    Ok(Json(DriftHistory { epoch, stretches }))
}

/// Begin a new epoch
///
/// For an operator who has seen to an alarm: all tests begin anew. The guarantees hold for each epoch by itself.
#[utoipa::path(
    post,
    path = "/admin/drift/reset",
    tag = "Drift",
    responses((status = 200, description = "The epoch has begun", body = MonitorReport)),
)]
pub async fn reset(service: Data<Service>) -> Result<Json<MonitorReport>, ApiError> {
    let pair = watched(&service)?;
    let report = recorder(&service)?.reset(&pair).await.map_err(unread)?;
    tracing::info!("the drift monitor begins epoch {}", report.epoch.number);
    Ok(Json(report))
}

impl Wanted {
    fn of(request: &HttpRequest) -> Result<Page, ApiError> {
        let wanted: Self = query(request)?;
        let limit = within("limit", wanted.limit.unwrap_or(DEFAULT_LIMIT), MAX_LIMIT)?;
        Ok(Page { before: wanted.before, limit })
    }
}

fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let query = Query::<T>::from_query(request.query_string());
    query
        .map(Query::into_inner)
        .map_err(|error| ApiError::InvalidQuery { reason: error.to_string() })
}

fn within(name: &str, found: usize, most: usize) -> Result<usize, ApiError> {
    let reason = || format!("{name}: expected 1 to {most}, found {found}");
    let fits = (1..=most).contains(&found).then_some(found);
    fits.ok_or_else(|| ApiError::InvalidQuery { reason: reason() })
}

pub(crate) fn recorder(service: &Service) -> Result<&Recorder, ApiError> {
    service
        .recorder
        .as_ref()
        .ok_or(ApiError::NoMonitor { reason: "nothing is remembered, see --monitor" })
}

pub(crate) fn watched(service: &Service) -> Result<Arc<WatchedPair>, ApiError> {
    recorder(service)?;
    let pair = service.engine().served().watched.clone();
    pair.ok_or(ApiError::NoMonitor { reason: "there is no reference, see --reference" })
}

pub(crate) fn unread(why: Unread) -> ApiError {
    match why {
        Unread::Full => ApiError::overloaded(Shortage::Monitor),
        Unread::Memory(error) => ApiError::MonitorUnavailable { code: error.code() },
        Unread::Failed => ApiError::Internal(why.into()),
    }
}
