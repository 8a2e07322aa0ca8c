//! An error as an answer: its body and its headers.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::error::text::whole_seconds;

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct Body {
    /// What went wrong.
    error: Fault,
    /// The missing field, as FastAPI tells of it; with the code `missing_file` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    detail: Option<Value>,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// For programs: stable.
    pub code: &'static str,
    /// For people: what was expected, what was found, what to do.
    pub message: String,
}

impl ApiError {
    /// What a client is told: code and message.
    pub fn fault(&self) -> Fault {
        Fault { code: self.code(), message: self.to_string() }
    }

    fn body(&self) -> Body {
        // What clients of FastAPI services look for.
        let missing = || json!([{ "type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": null }]);
        Body { error: self.fault(), detail: matches!(self, Self::MissingFile).then(missing) }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.log_internal();
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Overloaded { retry_after, .. }
            | Self::EngineFailing { retry_after }
            | Self::RateLimited { retry_after } => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)));
            }
            Self::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed { allowed, .. } => {
                response.insert_header((header::ALLOW, *allowed));
            }
            _ => {}
        }
        let mut response = response.json(self.body());
        // For the log and the metrics, and for protocols with a body of their own for errors.
        response.extensions_mut().insert(self.fault());
        if let Self::Overloaded { shortage, .. } = self {
            response.extensions_mut().insert(*shortage);
        }
        response
    }
}
