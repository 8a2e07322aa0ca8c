//! The paths of the Open Inference Protocol that name a model's version.

use utoipa::Modify;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::openapi::every_operation::operations;

/// A model whose version is the served one.
const MODEL_PATH: &str = "/v2/models/{name}";

/// The parameter of the paths that name a version.
const VERSION: &str = "version";

/// Gives each path of a model a second one that names the version: one handler answers both.
pub(crate) struct Versions;

impl Modify for Versions {
    fn modify(&self, document: &mut Document) {
        let paths = &mut document.paths.paths;
        let mut versioned = Vec::new();
        for (path, item) in paths.iter_mut() {
            let Some(rest) = path.strip_prefix(MODEL_PATH) else { continue };
            let mut with_version = item.clone();
            for operation in operations(&mut with_version) {
                if let Some(id) = &mut operation.operation_id {
                    id.push_str("_of_version");
                }
            }
            versioned.push((format!("{MODEL_PATH}/versions/{{{VERSION}}}{rest}"), with_version));
            for operation in operations(item) {
                leave_out_version(operation);
            }
        }
        paths.extend(versioned);
    }
}

fn leave_out_version(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters
        .retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == VERSION));
}
