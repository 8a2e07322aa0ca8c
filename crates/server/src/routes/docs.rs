//! `GET /openapi.json` and Swagger UI at `/docs/`.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use utoipa_swagger_ui::Config;

use crate::error::ApiError;
use crate::routes::asset::{self, Asset, Assets};
use crate::security::keys::KeyRing;
use crate::service::Service;
use sdd_serving::engine::ServedModel;

/// Swagger UI sets styles from its script, and has its icons in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Makes the OpenAPI document of a server that serves this model and has these keys.
pub type MakeDocument = fn(&ServedModel, &KeyRing) -> serde_json::Result<String>;

/// The OpenAPI document, as it was last asked for. A reload may change what it tells of.
pub struct ApiDocument {
    /// Given from outside, as the document is made of all routes, this one included.
    make: MakeDocument,
    last: ArcSwapOption<Made>,
}

struct Made {
    /// Name and version.
    model: [String; 2],
    keys: Arc<KeyRing>,
    asset: Asset,
}

impl ApiDocument {
    /// One that is made when it is first asked for.
    pub fn new(make: MakeDocument) -> Self {
        Self { make, last: ArcSwapOption::empty() }
    }

    /// Of what is served now.
    fn answer(&self, request: &HttpRequest, service: &Service) -> Result<HttpResponse, ApiError> {
        let (engine, keys) = (service.engine(), service.security.keys());
        let spec = &engine.served().spec;
        let is_current = |made: &Arc<Made>| {
            made.model == [&*spec.name, &*spec.version] && Arc::ptr_eq(&made.keys, &keys)
        };
        if let Some(made) = self.last.load_full().filter(is_current) {
            return Ok(made.asset.answer(request));
        }
        let json = (self.make)(engine.served(), &keys);
        let json = json.map_err(|error| ApiError::Internal(error.into()))?;
        let asset = Asset::new(json.into(), "application/json");
        let answer = asset.answer(request);
        let model = [spec.name.clone(), spec.version.clone()];
        self.last.store(Some(Arc::new(Made { model, keys, asset })));
        Ok(answer)
    }
}

/// What the page is made of.
const NAMES: [&str; 8] = [
    INDEX,
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

const INDEX: &str = "index.html";

static FILES: LazyLock<Assets> = LazyLock::new(|| {
    // Where the page is, so is the document; and no badge of a validator on the internet.
    let config = Config::new(["../openapi.json"])
        .validator_url("none")
        .display_request_duration(true)
        .try_it_out_enabled(true);
    let config = Arc::new(config);
    let asset = |name| {
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&config)).ok().flatten()?;
        let content = Bytes::from(file.bytes.into_owned());
        Some((name, Asset::new(content, &file.content_type).with_policy(POLICY)))
    };
    NAMES.into_iter().filter_map(asset).collect()
});

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Documents",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub async fn document(
    request: HttpRequest,
    document: Data<ApiDocument>,
    service: Data<Service>,
) -> Result<HttpResponse, ApiError> {
    document.answer(&request, &service)
}

/// The relative links of the page need the slash at the end.
pub async fn to_index() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "docs/")).finish()
}

/// This document as a page (Swagger UI)
#[utoipa::path(
    get,
    path = "/docs/",
    tag = "Documents",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    asset::answer(&FILES, &request, INDEX)
}

/// `GET /docs/{file}`.
pub async fn file(request: HttpRequest, file: Path<String>) -> Result<HttpResponse, ApiError> {
    asset::answer(&FILES, &request, &file)
}
