//! The model that a path names.

use sdd_serving::engine::ServedModel;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;

/// `…/models/{name}` or `…/models/{name}/versions/{version}`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ModelPath {
    /// The served model's name.
    name: String,
    /// Its version.
    #[serde(default)]
    #[param(value_type = String, required = true)]
    version: Option<String>,
}

impl ModelPath {
    /// Whether it is this one.
    pub fn check(&self, served: &ServedModel) -> Result<(), ApiError> {
        let spec = &served.spec;
        let known = self.name == spec.name
            && self.version.as_ref().is_none_or(|version| *version == spec.version);
        if known {
            return Ok(());
        }
        let asked_for = match &self.version {
            Some(version) => format!("`{}` of version `{version}`", self.name),
            None => format!("`{}`", self.name),
        };
        let served = format!("`{}` of version `{}`", spec.name, spec.version);
        Err(ApiError::UnknownModel { asked_for, served })
    }
}
