//! The check whether a request is let in, before anything of its body is read.

use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, ResponseError};

use crate::error::ApiError;
use crate::request::RequestContext;
use crate::security::area::Area;
use crate::security::cross_site::{is_safe, other_site};
use crate::security::hosts::allow;
use crate::security::keys::{Caller, KeyRing};
use crate::security::rate_limit::Client;
use crate::security::{Entrance, Security};
use crate::service::Service;

/// Headers of a request at most; HTTP/1.1 has this limit already.
const MAX_HEADERS: usize = 96;

/// Stands for a host that is no text, and is none that is allowed.
const UNREADABLE_HOST: &str = "unreadable.invalid";

/// Characters of a name that a client made up, in the message.
const MAX_NAME_CHARS: usize = 255;

/// Longest key that is looked at, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// Wraps all handlers.
pub async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match check(&request) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(error) => Ok(request.into_response(error.error_response()).map_into_right_body()),
    }
}

fn check(request: &ServiceRequest) -> Result<(), ApiError> {
    let service = request.app_data::<Data<Service>>();
    let service = service.ok_or_else(|| ApiError::Internal("no service".into()))?;
    if request.headers().len() > MAX_HEADERS {
        return Err(ApiError::TooManyHeaders { limit: MAX_HEADERS });
    }
    // As the router sees it, so that an escape does not lead past the keys.
    let area = Area::of(request.match_info().as_str());
    if area == Area::Health {
        return Ok(());
    }
    let entrance = request.app_data::<Entrance>().copied().unwrap_or(Entrance::Main);
    let security = &service.security;
    let keys = security.keys();
    check_site(security, request, entrance, &keys)?;
    if area == Area::Page {
        return Ok(());
    }
    let caller = shown_key(request.headers()).and_then(|key| keys.find(key));
    if let (Some(caller), Some(context)) =
        (&caller, request.extensions().get::<Rc<RequestContext>>())
    {
        context.key_name.replace(Some(caller.name.clone()));
    }
    // Before the keys are looked at: guessing them is limited, too. A scraper is not, unless it needs a
    // key and has none.
    if area != Area::Metrics || (keys.for_clients && caller.is_none()) {
        limit_rate(security, request, caller.as_ref())?;
    }
    authorize(area, entrance, caller.as_ref(), &keys)
}

/// Whether a request is meant for this server, and is not one that a page of another site sends in secret.
fn check_site(
    security: &Security,
    request: &ServiceRequest,
    entrance: Entrance,
    keys: &KeyRing,
) -> Result<(), ApiError> {
    let headers = request.headers();
    let header = headers.get(header::HOST).map(|host| host.to_str().unwrap_or(UNREADABLE_HOST));
    // In HTTP/2 the host stands in the address, and in HTTP/1.1 it may.
    let of_address = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    let on_loopback = request.app_config().local_addr().ip().is_loopback();
    let allowed = security.allowed_hosts(entrance, on_loopback, keys);
    if let Some(host) =
        [of_address, header].into_iter().flatten().find(|host| !allow(allowed, host))
    {
        return Err(ApiError::HostNotAllowed { host: host.chars().take(MAX_NAME_CHARS).collect() });
    }
    // A page has no key to send.
    let is_protected = entrance == Entrance::Main && keys.for_clients;
    if is_protected || is_safe(request.method()) {
        return Ok(());
    }
    let origins = security.origins(entrance);
    match other_site(headers, of_address.or(header), origins) {
        None => Ok(()),
        Some(origin) => Err(ApiError::CrossSiteRequest {
            origin: origin.chars().take(MAX_NAME_CHARS).collect(),
        }),
    }
}

fn limit_rate(
    security: &Security,
    request: &ServiceRequest,
    caller: Option<&Caller>,
) -> Result<(), ApiError> {
    let Some(limit) = &security.rate_limit else { return Ok(()) };
    let client = match (caller, security.client_of(request)) {
        (Some(caller), _) => Client::Key(caller.name.clone()),
        (None, Some(address)) => Client::at(address),
        (None, None) => Client::Others,
    };
    limit.check(&client).map_err(|retry_after| ApiError::RateLimited { retry_after })
}

/// Whether `caller`, if it is known, may use an area.
fn authorize(
    area: Area,
    entrance: Entrance,
    caller: Option<&Caller>,
    keys: &KeyRing,
) -> Result<(), ApiError> {
    if !area.needs_key(keys) {
        let is_disabled = area == Area::Admin && entrance == Entrance::Main;
        return if is_disabled { Err(ApiError::AdminDisabled) } else { Ok(()) };
    }
    let Some(caller) = caller else { return Err(ApiError::Unauthorized) };
    let is_enough = match area {
        Area::Health | Area::Page | Area::Metrics => true,
        Area::Client => caller.is_client,
        Area::Admin => caller.is_admin,
    };
    if is_enough { Ok(()) } else { Err(ApiError::Forbidden) }
}

/// The key in `authorization: Bearer KEY` or `x-api-key: KEY`.
fn shown_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    let key = bearer.or_else(|| headers.get("x-api-key").map(HeaderValue::as_bytes));
    key.filter(|key| key.len() <= MAX_KEY_BYTES)
}
