//! The OpenAPI document, made from the annotations of the handlers.

mod deployment;
mod every_operation;
mod faults;
mod image_types;
mod keys;
mod versions;

use sdd_serving::engine::ServedModel;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use self::every_operation::Headers;
use self::faults::{Faults, InferenceError};
use self::image_types::ImageTypes;
use self::keys::KeySchemes;
use self::versions::Versions;
use crate::routes::bodies::EncodedImage;
use crate::routes::{
    admin, docs, embed, health, metrics, model, monitor, page, predict, report, v2,
};
use crate::security::keys::KeyRing;

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
        monitor::history,
        report::page,
        report::json,
        report::box_plot_svg,
        monitor::reset,
        model::model,
        admin::reload,
        health::livez,
        health::readyz,
        health::healthz,
        metrics::metrics,
        page::page,
        page::dashboard,
        docs::document,
        docs::index,
        v2::metadata::server,
        v2::metadata::model,
        v2::configuration::config,
        v2::health::live,
        v2::health::ready,
        v2::health::model_ready,
        v2::repository::index,
        v2::infer::infer,
    ),
    components(schemas(crate::error::Body, InferenceError, EncodedImage)),
    // Beside the document, also where a proxy puts it below a path of its own.
    servers((url = "./")),
    modifiers(&Versions, &Faults, &KeySchemes, &Headers, &ImageTypes),
)]
struct ApiDoc;

/// The document of a server that serves this model and has these keys.
pub fn document(served: &ServedModel, keys: &KeyRing) -> Document {
    let mut document = ApiDoc::openapi();
    deployment::fill_in(&mut document, served, keys);
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use utoipa::OpenApi;

    use super::ApiDoc;
    use crate::routes;

    /// Parts of a page, which nobody asks for by name.
    const PARTS: [&str; 3] = ["/docs", "/docs/{file}", "/ui/{file}"];

    #[test]
    fn each_path_is_documented_and_each_documented_path_is_there() {
        let mut there: BTreeMap<_, _> =
            routes::routes().into_iter().map(|(path, allowed, _)| (path, allowed)).collect();
        for part in PARTS {
            assert!(there.remove(part).is_some(), "{part} is no longer there");
        }
        let document = ApiDoc::openapi();
        let documented: BTreeMap<_, _> = document
            .paths
            .paths
            .iter()
            .map(|(path, item)| {
                let methods = if item.post.is_some() { "POST" } else { "GET, HEAD" };
                assert!(item.post.is_some() != item.get.is_some(), "{path}");
                (path.clone(), methods)
            })
            .collect();
        assert_eq!(there, documented);
    }
}
