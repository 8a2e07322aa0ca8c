//! Documents that do not change while the server runs.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETag, EntityTag, Header, HeaderValue, IfNoneMatch,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Documents by name.
pub type Assets = Vec<(&'static str, Asset)>;

/// The one of a name, as [`Asset::answer`] gives it.
pub fn answer(
    assets: &[(&str, Asset)],
    request: &HttpRequest,
    name: &str,
) -> Result<HttpResponse, ApiError> {
    let found = assets.iter().find(|(known, _)| *known == name);
    let found = found.ok_or_else(|| ApiError::NotFound { path: request.path().to_owned() })?;
    Ok(found.1.answer(request))
}

/// A document, and the tag by which a browser knows that it has it already.
pub struct Asset {
    content: Bytes,
    content_type: String,
    tag: EntityTag,
    policy: Option<HeaderValue>,
}

impl Asset {
    /// A document of a type.
    pub fn new(content: Bytes, content_type: &str) -> Self {
        let digest = Sha256::digest(&content);
        let tag = format!("{digest:x}");
        let content_type = content_type.to_owned();
        Self { content, content_type, tag: EntityTag::new_strong(tag), policy: None }
    }

    /// The same with a content security policy.
    pub fn with_policy(mut self, policy: &'static str) -> Self {
        self.policy = Some(HeaderValue::from_static(policy));
        self
    }

    /// The document, or 304 where the browser has it. It always asks, so that it never mixes the
    /// files of two versions.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let known = self.is_known(request);
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(self.tag.clone()))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((REFERRER_POLICY, "no-referrer"));
        if let Some(policy) = &self.policy {
            response.insert_header((CONTENT_SECURITY_POLICY, policy.clone()));
        }
        if known {
            return response.finish();
        }
        response.content_type(self.content_type.as_str()).body(self.content.clone())
    }

    fn is_known(&self, request: &HttpRequest) -> bool {
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Ok(IfNoneMatch::Any) | Err(_) => false,
        }
    }
}
