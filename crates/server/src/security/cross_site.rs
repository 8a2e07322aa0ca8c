//! Requests that pages of other sites make a browser send.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};

/// What a browser says of the page that sends a request; it does where the server's address is one that it trusts, as
/// every loopback address.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a method changes nothing; what it is answered a page of another site does not get to read.
pub(crate) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

/// The site whose page sends a request, where that is neither this server's own, asked by `host`, nor one of
/// `allowed`. Programs say nothing of a site; browsers always do.
pub(crate) fn other_site<'a>(
    headers: &'a HeaderMap,
    host: Option<&str>,
    allowed: &[String],
) -> Option<&'a str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let (relation, origin) = (text(SEC_FETCH_SITE), text(header::ORIGIN));
    let is_allowed = |origin: &str| {
        allowed.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(origin))
    };
    match (relation, origin) {
        // What the browser says of itself holds behind a proxy, too, which may ask by another name.
        (Some("same-origin" | "none"), _) | (None, None) => None,
        (_, Some(origin)) if is_allowed(origin) => None,
        (None, Some(origin)) if is_of(origin, host) => None,
        (_, origin) => Some(origin.unwrap_or("another site")),
    }
}

/// Whether an origin, as `http://sdd.example:8000`, is what was asked by `host`. A proxy may leave the port out.
fn is_of(origin: &str, host: Option<&str>) -> bool {
    let (Some((_, site)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let without_port = site.rsplit_once(':').map(|(name, _)| name);
    [Some(site), without_port].into_iter().flatten().any(|site| site.eq_ignore_ascii_case(host))
}
