//! The names that the server may be asked by.
//!
//! A page can make its own name lead to this machine (DNS rebinding); then the browser takes the server for the page's
//! own site, and lets it read every answer. Only the name in the request tells.

use std::net::IpAddr;

use crate::settings::HostPattern;

/// Whether one may ask by the value of a header `Host`, where these names are allowed beside those that nobody else can
/// make lead here.
pub fn allow(patterns: &[HostPattern], host: &str) -> bool {
    let name = name_of(host);
    is_nobody_elses(&name) || patterns.iter().any(|pattern| pattern.matches(&name))
}

/// Without its port, in lower case.
fn name_of(host: &str) -> String {
    let host = host.trim();
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    // An address in IPv6 has colons of its own, and stands in brackets.
    let name = if host.ends_with(']') { host } else { without_port };
    name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a page cannot be of a site with this name, unless it is this machine's or network's own: addresses, which are
/// not looked up, `localhost`, and names without a dot, which no registry gives away.
fn is_nobody_elses(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || name.ends_with(".localhost") || !name.contains('.')
}
