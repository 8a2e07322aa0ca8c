//! `GET /drift/report`, `/drift/report.json`, `/drift/box-plot.svg`: drift over time, to look at and to send.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Json};
use sdd_report::Report;
use sdd_serving::recording::now_ms;
use tokio::sync::Semaphore;

use crate::error::{ApiError, Shortage};
use crate::routes::blocking::off_async;
use crate::routes::monitor::{recorder, unread, watched};
use crate::service::Service;

/// Nothing but the page itself: styles and pictures are in it, and a script is not.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Reports that are made at a time: each takes some tenths of a second of a core, and some MB.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A report to look at and to send
///
/// One HTML page that needs no network and no script: what happened, why, and what to do; the strangest images beside
/// the training images that they are nearest to; curves, box plot, p-values.
#[utoipa::path(
    get,
    path = "/drift/report",
    tag = "Drift",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn page(service: Data<Service>) -> Result<HttpResponse, ApiError> {
    let mut folders = service.settings.picture_folders();
    let html = made(service, move |report| sdd_report::html(&report, &mut folders));
    Ok(document("text/html; charset=utf-8", html.await?.into_bytes()))
}

/// The same as numbers
#[utoipa::path(
    get,
    path = "/drift/report.json",
    tag = "Drift",
    responses((status = 200, description = "The report", body = Report)),
)]
pub async fn json(service: Data<Service>) -> Result<Json<Report>, ApiError> {
    Ok(Json(made(service, Ok).await?))
}

/// The box plot alone: scores of reference, calibration and recent images
#[utoipa::path(
    get,
    path = "/drift/box-plot.svg",
    tag = "Drift",
    responses((status = 200, description = "The drawing", body = String, content_type = "image/svg+xml")),
)]
pub async fn box_plot_svg(service: Data<Service>) -> Result<HttpResponse, ApiError> {
    let svg = made(service, |report| Ok(sdd_report::box_plot_svg(&report))).await?;
    Ok(document("image/svg+xml", svg.into_bytes()))
}

/// Makes a report, and of it what is asked for, off the threads that answer.
async fn made<T: Send + 'static>(
    service: Data<Service>,
    of: impl FnOnce(Report) -> sdd_report::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let pair = watched(&service)?;
    let turn = TURNS.try_acquire().map_err(|_| ApiError::overloaded(Shortage::Reports))?;
    let recorded = recorder(&service)?.recorded(&pair).await.map_err(unread)?;
    let made = off_async(move || {
        // Until the work is done, whoever still waits for it.
        let _turn = turn;
        let report = Report::of(recorded, &pair.reference, now_ms());
        report.and_then(of).map_err(|error| ApiError::Internal(error.into()))
    });
    made.await?
}

/// Not to be kept: it is another one with the next image.
fn document(content_type: &str, content: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type(content_type)
        .body(content)
}
