//! Whether a request without a key comes from a person or program on this machine.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

/// Headers that proxies add. A proxy on this machine forwards the requests of others.
const OF_PROXIES: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    header::FORWARDED,
    header::VIA,
];

/// Whether a request may be taken for the operator's own: the server listens on loopback alone, no
/// proxy is between, and no page of another site made a browser send it.
pub(super) fn is_from_this_machine(request: &ServiceRequest) -> bool {
    let listens_on_loopback = request.app_config().local_addr().ip().is_loopback();
    let peer_is_local = request.peer_addr().is_some_and(|peer| peer.ip().is_loopback());
    let uri_host = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    listens_on_loopback && peer_is_local && is_not_cross_site(request.headers(), uri_host)
}

fn is_not_cross_site(headers: &HeaderMap, uri_host: Option<&str>) -> bool {
    if OF_PROXIES.iter().any(|name| headers.contains_key(name)) {
        return false;
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    // In HTTP/2 the host stands in the address.
    let Some(host) = uri_host.or(text(header::HOST)) else { return false };
    // A site whose name was made to lead here has its own name in both headers.
    if !is_loopback_host(host) {
        return false;
    }
    match text(header::ORIGIN) {
        None => true,
        Some(origin) => origin.split_once("://").is_some_and(|(_, site)| site == host),
    }
}

/// Whether the value of a header `host` names this machine.
fn is_loopback_host(host: &str) -> bool {
    if let Ok(address) = host.parse::<std::net::SocketAddr>() {
        return address.ip().is_loopback();
    }
    let without_port = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let name = without_port.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::is_not_cross_site;

    fn allowed(headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        is_not_cross_site(&map, None)
    }

    #[test]
    fn programs_and_the_own_page_are_let_in() {
        for host in ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"] {
            assert!(allowed(&[("host", host)]), "{host}");
        }
        assert!(allowed(&[("host", "localhost:8000"), ("origin", "http://localhost:8000")]));
    }

    #[test]
    fn other_sites_other_names_and_proxies_are_not() {
        let here = ("host", "127.0.0.1:8000");
        for origin in ["https://evil.example", "null", "http://127.0.0.1:9000", ""] {
            assert!(!allowed(&[here, ("origin", origin)]), "{origin}");
        }
        // A name of the attacker's that leads to 127.0.0.1.
        let rebound = [("host", "evil.example:8000"), ("origin", "http://evil.example:8000")];
        assert!(!allowed(&rebound) && !allowed(&rebound[..1]) && !allowed(&[]));
        assert!(!allowed(&[("host", "127.0.0.1.evil.example")]));
        for proxy in ["x-forwarded-for", "x-real-ip", "forwarded", "via"] {
            assert!(!allowed(&[here, (proxy, "1.1.1.1")]), "{proxy}");
        }
    }
}
