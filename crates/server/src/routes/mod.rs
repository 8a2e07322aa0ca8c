//! The paths of the service, one file an area.

pub(crate) mod admin;
mod asset;
mod blocking;
mod classify;
pub(crate) mod docs;
pub(crate) mod embed;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod monitor;
pub(crate) mod page;
pub(crate) mod predict;
mod prediction;
pub(crate) mod report;
pub(crate) mod v2;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use crate::error::ApiError;

/// The methods of what is only looked at.
const READ: &str = "GET, HEAD";

/// Adds every path of the service.
pub fn configure(service: &mut ServiceConfig) {
    add(service, routes());
}

/// Adds the paths that are for operators.
pub fn configure_administration(service: &mut ServiceConfig) {
    add(service, routes().into_iter().filter(|(path, ..)| path.starts_with("/admin/")));
}

fn add(
    service: &mut ServiceConfig,
    routes: impl IntoIterator<Item = (String, &'static str, Route)>,
) {
    service.app_data(v2::path_config());
    for (path, allowed, route) in routes {
        service.service(only(web::resource(path).route(route), allowed));
    }
    service.default_service(web::to(not_found));
}

/// Every path, the methods that it takes, and what answers.
pub(crate) fn routes() -> Vec<(String, &'static str, Route)> {
    let own = [
        ("/predict", "POST", web::post().to(predict::predict)),
        ("/predict/batch", "POST", web::post().to(predict::predict_batch)),
        ("/embed", "POST", web::post().to(embed::embed)),
        ("/drift", READ, get(monitor::drift)),
        ("/drift/observations", READ, get(monitor::observations)),
        ("/drift/history", READ, get(monitor::history)),
        ("/drift/report", READ, get(report::page)),
        ("/drift/report.json", READ, get(report::json)),
        ("/drift/box-plot.svg", READ, get(report::box_plot_svg)),
        ("/admin/drift/reset", "POST", web::post().to(monitor::reset)),
        ("/admin/reload", "POST", web::post().to(admin::reload)),
        ("/v1/model", READ, get(model::model)),
        ("/healthz", READ, get(health::healthz)),
        ("/livez", READ, get(health::livez)),
        ("/readyz", READ, get(health::readyz)),
        ("/metrics", READ, get(metrics::metrics)),
        ("/", READ, get(page::page)),
        ("/dashboard", READ, get(page::dashboard)),
        ("/ui/{file}", READ, get(page::file)),
        ("/openapi.json", READ, get(docs::document)),
        ("/docs", READ, get(docs::to_index)),
        ("/docs/", READ, get(docs::index)),
        ("/docs/{file}", READ, get(docs::file)),
    ];
    let own = own.into_iter().map(|(path, allowed, route)| (path.to_owned(), allowed, route));
    own.chain(v2::routes()).collect()
}

/// A route for GET and HEAD.
fn get<F, Args>(handler: F) -> Route
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    let readable = actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head());
    web::route().guard(readable).to(handler)
}

/// Answers every other method with 405.
fn only(resource: actix_web::Resource, allowed: &'static str) -> actix_web::Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(ApiError::MethodNotAllowed {
            path: request.path().to_owned(),
            method: request.method().to_string(),
            allowed,
        })
    }))
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // Such a request names a server and no path.
    if request.method() == Method::CONNECT {
        let what = "this server is no proxy, which CONNECT is for: ask it by its own address, without the proxy";
        return Err(ApiError::NotSupported { what });
    }
    Err(ApiError::NotFound { path: request.path().to_owned() })
}
