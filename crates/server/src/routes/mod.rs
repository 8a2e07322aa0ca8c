//! The paths of the service, one file an area.

pub mod admin;
mod asset;
mod blocking;
pub mod bodies;
mod classify;
pub mod docs;
pub mod embed;
pub mod health;
mod method;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod page;
pub mod predict;
mod prediction;
pub mod report;
pub mod v2;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use self::method::{READ, get, only};
use crate::error::ApiError;

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

async fn not_found(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // Such a request names a server and no path.
    if request.method() == Method::CONNECT {
        let what = "this server is no proxy, which CONNECT is for: ask it by its own address, without the proxy";
        return Err(ApiError::NotSupported { what });
    }
    Err(ApiError::NotFound { path: request.path().to_owned() })
}
