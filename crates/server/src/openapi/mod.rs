//! The OpenAPI document, made from the annotations of the handlers.

mod bodies;
mod every_operation;
mod faults;
mod inference_protocol;

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub use bodies::{EncodedImage, ImageForm, ImagesForm, JsonAndTensors};
pub use faults::{
    GuardedFaults, LivenessFaults, MonitorFaults, ObservationFaults, OpenFaults, ReadinessFaults,
    ReloadFaults, ResetFaults, UploadFaults,
};
pub use inference_protocol::{
    InferenceError, InferenceFaults, InferenceGuardedFaults, InferenceLivenessFaults,
    InferenceModelFaults, InferenceModelReadinessFaults, InferenceReadinessFaults,
    InferenceRepositoryFaults,
};

use self::bodies::ImageTypes;
use self::every_operation::Headers;
use self::inference_protocol::Versions;
use crate::routes::{admin, docs, embed, health, metrics, model, monitor, page, predict, v2};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "sdd-server",
        description = "Classifies images of surfaces and tells of each whether it still looks like \
                       what the model was trained on.\n\nEvery answer that is not a success is \
                       `{\"error\":{\"code\":\"…\",\"message\":\"…\"}}`; codes do not change. Under `/v2` it is the \
                       protocol's own, `{\"error\":\"…\"}`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "Images", description = "Images in, answers out"),
        (name = "Drift", description = "Whether what comes in has changed"),
        (name = "Model", description = "What is served"),
        (
            name = "Open Inference Protocol",
            description = "The protocol of KServe and Triton, version 2, with the extensions for binary \
                           tensor data, classification and the model's configuration"
        ),
        (name = "Health", description = "Whether it is alive and ready"),
        (name = "Documents", description = "For people and for tools"),
    ),
    paths(
        predict::predict,
        predict::predict_batch,
        embed::embed,
        monitor::drift,
        monitor::observations,
        monitor::reset,
        model::model,
        admin::reload,
        health::livez,
        health::readyz,
        health::healthz,
        metrics::metrics,
        page::page,
        docs::document,
        docs::index,
        v2::metadata::server,
        v2::metadata::model,
        v2::metadata::config,
        v2::health::live,
        v2::health::ready,
        v2::health::model_ready,
        v2::repository::index,
        v2::repository::load,
        v2::repository::unload,
        v2::infer::infer,
    ),
    components(schemas(crate::error::Body, InferenceError, EncodedImage)),
    // Without a key unless the operator asks for one.
    security((), ("api_key" = []), ("bearer" = [])),
    modifiers(&Versions, &SecuritySchemes, &Headers, &ImageTypes),
)]
struct ApiDoc;

/// The document.
#[must_use]
pub fn document() -> Document {
    ApiDoc::openapi()
}

/// How a key is sent.
struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let header =
            ApiKeyValue::with_description("x-api-key", "A key, where the operator set any.");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The same key in the header `authorization`."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}
