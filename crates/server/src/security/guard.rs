//! Whether a request is let in: checked before anything of its body is read.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, ResponseError};

use super::Security;
use super::area::Area;
use super::keys::{Caller, KeyRing};
use super::rate_limit::Client;
use super::same_machine::is_from_this_machine;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::service::Service;

/// Headers of a request at most; HTTP/1.1 has this limit already.
const MAX_HEADERS: usize = 96;

/// Longest key that is looked at, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// Wraps all handlers.
///
/// # Errors
/// Those of the wrapped service, unchanged.
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
    if area == Area::Public {
        return Ok(());
    }
    let keys = service.security.keys();
    let caller = shown_key(request.headers()).and_then(|key| keys.find(key));
    if let (Some(caller), Some(context)) = (&caller, request.extensions().get::<RequestContext>()) {
        context.note_key(caller.name.clone());
    }
    // Before the keys are looked at: guessing them is limited, too. A scraper is not, unless it needs a
    // key and has none.
    if area != Area::Metrics || (keys.for_clients && caller.is_none()) {
        limit_rate(&service.security, request, caller.as_ref())?;
    }
    authorize(area, caller.as_ref(), &keys, || is_from_this_machine(request))
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
    caller: Option<&Caller>,
    keys: &KeyRing,
    is_from_this_machine: impl FnOnce() -> bool,
) -> Result<(), ApiError> {
    let needs_key = match area {
        Area::Public => false,
        Area::Client | Area::Metrics => keys.for_clients,
        Area::Admin => keys.for_admins,
    };
    if !needs_key {
        let is_free = area != Area::Admin || is_from_this_machine();
        return if is_free { Ok(()) } else { Err(ApiError::AdminDisabled) };
    }
    let Some(caller) = caller else { return Err(ApiError::Unauthorized) };
    let is_enough = match area {
        Area::Public | Area::Metrics => true,
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

#[cfg(test)]
mod tests {
    use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

    use super::super::area::Area;
    use super::{Caller, KeyRing, authorize, shown_key};

    /// `None` when let in, or the code of the refusal.
    fn refused(
        area: Area,
        caller: Option<(bool, bool)>,
        keys: (bool, bool),
    ) -> Option<&'static str> {
        let caller =
            caller.map(|(is_client, is_admin)| Caller { name: "c".into(), is_client, is_admin });
        let mut ring = KeyRing::default();
        (ring.for_clients, ring.for_admins) = keys;
        authorize(area, caller.as_ref(), &ring, || false).err().map(|error| error.code())
    }

    #[test]
    fn each_area_asks_for_its_own_keys() {
        let (client, admin) = (Some((true, false)), Some((false, true)));
        let (open, keyed) = ((false, false), (true, true));
        assert_eq!(refused(Area::Client, None, open), None);
        assert_eq!(refused(Area::Client, None, keyed), Some("unauthorized"));
        assert_eq!(refused(Area::Client, client, keyed), None);
        assert_eq!(refused(Area::Client, admin, keyed), Some("forbidden"));
        assert_eq!(refused(Area::Admin, None, open), Some("admin_disabled"));
        assert_eq!(refused(Area::Admin, client, (true, false)), Some("admin_disabled"));
        assert_eq!(refused(Area::Admin, None, keyed), Some("unauthorized"));
        assert_eq!(refused(Area::Admin, client, keyed), Some("forbidden"));
        assert_eq!(refused(Area::Admin, admin, keyed), None);
        assert_eq!(refused(Area::Metrics, None, keyed), Some("unauthorized"));
        assert_eq!(refused(Area::Metrics, admin, keyed), None);
        assert_eq!(refused(Area::Public, None, keyed), None);
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        let shown = |name: HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            shown_key(&headers).map(|key| String::from_utf8_lossy(key).into_owned())
        };
        assert_eq!(shown(header::AUTHORIZATION, "Bearer abc").as_deref(), Some("abc"));
        assert_eq!(shown(header::AUTHORIZATION, "bearer  abc").as_deref(), Some("abc"));
        assert_eq!(shown(HeaderName::from_static("x-api-key"), "abc").as_deref(), Some("abc"));
        for other in ["Basic abc", "Bearer", "Bearerabc", ""] {
            assert_eq!(shown(header::AUTHORIZATION, other), None, "{other}");
        }
    }
}
