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

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::other_site;

    fn other(headers: &[(&'static str, &'static str)], allowed: &[&str]) -> Option<String> {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = pairs.collect();
        let allowed: Vec<_> = allowed.iter().map(|&origin| origin.to_owned()).collect();
        other_site(&headers, Some("127.0.0.1:8000"), &allowed).map(str::to_owned)
    }

    #[test]
    fn a_proxy_may_leave_out_the_port() {
        let origin = HeaderValue::from_static("http://sdd.example:8080");
        let headers: HeaderMap =
            [(HeaderName::from_static("origin"), origin)].into_iter().collect();
        for (host, is_own) in
            [("sdd.example", true), ("sdd.example:8080", true), ("sdd.example:80", false)]
        {
            assert_eq!(other_site(&headers, Some(host), &[]).is_none(), is_own, "{host}");
        }
    }

    #[test]
    fn programs_and_the_own_page_are_of_no_other_site() {
        assert_eq!(other(&[], &[]), None);
        assert_eq!(other(&[("origin", "http://127.0.0.1:8000")], &[]), None);
        // Behind a proxy that asks by a name of its own.
        let proxied = [("origin", "https://sdd.example"), ("sec-fetch-site", "same-origin")];
        assert_eq!(other(&proxied, &[]), None);
        assert_eq!(other(&[("sec-fetch-site", "none")], &[]), None);
    }

    #[test]
    fn other_sites_have_to_be_allowed() {
        let evil = "https://evil.example";
        for headers in [
            &[("origin", evil)][..],
            &[("origin", evil), ("sec-fetch-site", "cross-site")],
            &[("origin", evil), ("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(other(headers, &["https://lab.example"]).as_deref(), Some(evil));
            assert_eq!(other(headers, &["https://EVIL.example"]), None);
            assert_eq!(other(headers, &["*"]), None);
        }
        for origin in ["null", "http://127.0.0.1:9000", "http://127.0.0.1", ""] {
            assert_eq!(other(&[("origin", origin)], &[]).as_deref(), Some(origin));
        }
        // Another port of this machine.
        let other_port = [("origin", "http://127.0.0.1:9000"), ("sec-fetch-site", "same-site")];
        assert!(other(&other_port, &[]).is_some());
        assert!(other(&[("sec-fetch-site", "cross-site")], &[]).is_some());
    }
}
