//! The ways to send a key.

use utoipa::Modify;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

/// Their names in the document.
pub(crate) const API_KEY: &str = "api_key";
pub(crate) const BEARER: &str = "bearer";

/// How a key is sent.
pub(crate) struct KeySchemes;

impl Modify for KeySchemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let header =
            ApiKeyValue::with_description("x-api-key", "A key, where the operator set any.");
        components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(header)));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The same key in the header `authorization`."))
            .build();
        components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    }
}
