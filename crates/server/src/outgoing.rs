//! What the server asks of others by HTTP: a collector of traces, and whoever is told of drift.

use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http;
use ureq::tls::{RootCerts, TlsConfig, TlsConfigBuilder};
use ureq::typestate::AgentScope;

use crate::security::provider;

/// Time that the other side has for one request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an answer is no success, if it is none. Of the address that it points to only the host: the rest may hold a
/// secret.
pub fn refusal<T>(answer: &http::Response<T>) -> Option<String> {
    let status = answer.status();
    if status.is_success() {
        return None;
    }
    let location = answer.headers().get(http::header::LOCATION).filter(|_| status.is_redirection());
    Some(match location {
        None => format!("it answers {status}"),
        Some(location) => {
            let url = location.to_str().ok().and_then(|text| text.parse::<http::Uri>().ok());
            let host = url.as_ref().and_then(http::Uri::host).unwrap_or("another path");
            format!(
                "it answers {status} and points to {host}, which is not followed: name the address itself"
            )
        }
    })
}

/// A client that blocks, so for a thread of its own. https works with the certificates that the machine trusts. An
/// answer of any status is an answer, and what it points to is not followed: a POST would become a GET of something
/// else, and what was to be told would go where nobody has said that it may.
pub fn client() -> ureq::Agent {
    let tls = with_provider(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier));
    config(tls, TIMEOUT).build().new_agent()
}

/// With the cryptography in use.
pub fn with_provider(tls: TlsConfigBuilder) -> TlsConfig {
    tls.unversioned_rustls_crypto_provider(provider()).build()
}

/// What all clients have in common.
pub fn config(tls: TlsConfig, timeout: Duration) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(timeout))
        .tls_config(tls)
        .user_agent(concat!("sdd-server/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::{client, refusal};

    /// The head of one request, which is answered with `status` and `headers`.
    fn one_request(listener: &TcpListener, status: &str, headers: &str) -> Vec<String> {
        let mut connection = BufReader::new(listener.accept().unwrap().0);
        let lines = connection.by_ref().lines().map(Result::unwrap);
        let head = lines.take_while(|line| !line.is_empty()).collect();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
        connection.get_mut().write_all(answer.as_bytes()).unwrap();
        head
    }

    #[test]
    fn what_points_elsewhere_is_no_success_and_is_not_followed() {
        let (asked, elsewhere) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}/hook", asked.local_addr().unwrap());
        let location =
            format!("http://user:sesame@localhost:{}/x?y", elsewhere.local_addr().unwrap().port());
        for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
        {
            let why = std::thread::scope(|scope| {
                let post = scope.spawn(|| refusal(&client().post(&url).send("told").unwrap()));
                let head = one_request(&asked, status, &format!("Location: {location}\r\n"));
                assert!(head[0].starts_with("POST /hook "), "{head:?}");
                post.join().unwrap().unwrap()
            });
            assert!(why.contains(&status[..3]) && why.contains("points to localhost,"), "{why}");
            assert!(!why.contains("sesame") && !why.contains("/x"), "{why}");
        }
        elsewhere.set_nonblocking(true).unwrap();
        assert!(elsewhere.accept().is_err(), "nobody was asked there");
        let refused = |status: &str| {
            std::thread::scope(|scope| {
                let post = scope.spawn(|| refusal(&client().post(&url).send("told").unwrap()));
                one_request(&asked, status, "");
                post.join().unwrap()
            })
        };
        assert_eq!(refused("204 No Content"), None);
        assert!(refused("503 Busy").unwrap().contains("503"));
    }
}
