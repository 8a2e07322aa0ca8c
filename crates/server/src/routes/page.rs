//! `GET /` and `GET /dashboard`: pages for people, and the files that they are made of.

use std::sync::LazyLock;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use crate::error::ApiError;
use crate::routes::asset::{self, Asset, Assets};

/// Nothing from elsewhere, and no script but the pages' files.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' blob:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

static PAGE: LazyLock<Asset> =
    LazyLock::new(|| file_of(include_str!("../ui/index.html"), "text/html; charset=utf-8"));

static DASHBOARD: LazyLock<Asset> =
    LazyLock::new(|| file_of(include_str!("../ui/dashboard.html"), "text/html; charset=utf-8"));

static FILES: LazyLock<Assets> = LazyLock::new(|| {
    let style = |text| file_of(text, "text/css; charset=utf-8");
    let script = |text| file_of(text, "text/javascript; charset=utf-8");
    [
        ("style.css", style(include_str!("../ui/style.css"))),
        ("dashboard.css", style(include_str!("../ui/dashboard.css"))),
        ("dashboard.js", script(include_str!("../ui/dashboard.js"))),
        ("curve.js", script(include_str!("../ui/curve.js"))),
        ("drift.js", script(include_str!("../ui/drift.js"))),
        ("element.js", script(include_str!("../ui/element.js"))),
        ("key.js", script(include_str!("../ui/key.js"))),
        ("cards.css", style(include_str!("../ui/cards.css"))),
        ("icon.svg", file_of(include_str!("../ui/icon.svg"), "image/svg+xml")),
        ("main.js", script(include_str!("../ui/main.js"))),
        ("card.js", script(include_str!("../ui/card.js"))),
        ("service.js", script(include_str!("../ui/service.js"))),
        ("words.js", script(include_str!("../ui/words.js"))),
    ]
    .into()
});

fn file_of(text: &'static str, content_type: &str) -> Asset {
    Asset::new(Bytes::from_static(text.as_bytes()), content_type).with_policy(POLICY)
}

/// A page for people: drop images, see what they are
#[utoipa::path(
    get,
    path = "/",
    tag = "Documents",
    security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn page(request: HttpRequest) -> HttpResponse {
    PAGE.answer(&request)
}

/// A page for people: whether what comes in has changed
///
/// It asks `/drift` and `/drift/history` every few seconds.
#[utoipa::path(
    get,
    path = "/dashboard",
    tag = "Documents",
    security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn dashboard(request: HttpRequest) -> HttpResponse {
    DASHBOARD.answer(&request)
}

/// `GET /ui/{file}`.
pub async fn file(request: HttpRequest, file: Path<String>) -> Result<HttpResponse, ApiError> {
    asset::answer(&FILES, &request, &file)
}
