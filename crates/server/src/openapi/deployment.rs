//! What the document says of one server: its model's name, and where a key is needed.

use sdd_serving::engine::ServedModel;
use serde_json::json;
use utoipa::openapi::path::{Operation, ParameterBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::openapi::every_operation::operations;
use crate::openapi::keys::{API_KEY, BEARER};
use crate::security::area::Area;
use crate::security::keys::KeyRing;

/// Fills in the served model, so that its paths can be tried out as they are, and asks for a key where one is needed.
pub(crate) fn fill_in(document: &mut Document, served: &ServedModel, keys: &KeyRing) {
    document.security = None;
    for (path, item) in &mut document.paths.paths {
        let needs_key = Area::of(path).needs_key(keys);
        for operation in operations(item) {
            operation.security = needs_key.then(|| {
                [API_KEY, BEARER].map(|name| SecurityRequirement::new(name, [""; 0])).to_vec()
            });
            name_model(operation, served);
        }
    }
    if let Some(components) = &mut document.components
        && !keys.for_clients
        && !keys.for_admins
    {
        components.security_schemes.clear();
    }
}

fn name_model(operation: &mut Operation, served: &ServedModel) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let value = match parameter.name.as_str() {
            "name" => &served.spec.name,
            "version" => &served.spec.version,
            _ => continue,
        };
        let named = ParameterBuilder::from(std::mem::take(parameter)).example(Some(json!(value)));
        *parameter = named.build();
    }
}
