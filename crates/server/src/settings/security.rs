//! Who may ask, how often, and how the connection is protected.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

use crate::settings::host_pattern::HostPattern;

/// Who may ask, how often, and how the connection is protected.
#[derive(Debug, Clone, Default, Args)]
pub struct SecuritySettings {
    /// Hashes of the keys that clients have to show, separated by commas, each as NAME=SHA256 or
    /// SHA256; `sdd-server key` makes a key and its hash [default: no key is asked for]
    #[arg(long, hide_env_values = true)]
    pub api_key_hashes: Option<Redacted>,
    /// The same in a file, one hash a line, which a reload reads anew
    #[arg(long)]
    pub api_keys_file: Option<PathBuf>,
    /// Where /admin can be used without being on the address of everybody: an address of this machine alone, as
    /// `127.0.0.1:8001`, or a socket, as `unix:/run/sdd/admin.sock` [default: nowhere, unless there is a key for it]
    #[arg(long, value_name = "ADDRESS|unix:PATH", value_parser = admin_address)]
    pub admin_address: Option<AdminAddress>,
    /// Hashes of the keys for /admin, as --api-key-hashes; with one, /admin is on the address of everybody, too
    #[arg(long, hide_env_values = true)]
    pub admin_key_hashes: Option<Redacted>,
    /// The same in a file, one hash a line, which a reload reads anew
    #[arg(long)]
    pub admin_keys_file: Option<PathBuf>,
    /// Certificate chain for TLS, a PEM file, which a reload reads anew
    #[arg(long, global = true)]
    pub tls_cert: Option<PathBuf>,
    /// Private key for TLS, a PEM file without a password
    #[arg(long, global = true)]
    pub tls_key: Option<PathBuf>,
    /// Web sites whose pages may ask, as `https://lab.example`, separated by commas; `*` for all
    /// [default: none]
    #[arg(long, value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<String>,
    /// Names that the server may be asked by, beside addresses and names without a dot, as `sdd.example` or
    /// `*.example`, separated by commas; `*` for any [default: the name of --host while that is an address of this
    /// machine alone and no key is asked for, else any]
    #[arg(long, value_delimiter = ',', value_parser = HostPattern::parse)]
    pub allowed_hosts: Vec<HostPattern>,
    /// Requests a second that each client may send: each key, or each address where there are no
    /// keys; more are answered 429. Health checks and pages are not counted, nor is /metrics
    /// [default: no limit]
    #[arg(long)]
    pub rate_limit: Option<NonZeroU32>,
    /// Requests that a client may send at once before --rate-limit holds [default: as many as it may
    /// send in a second]
    #[arg(long)]
    pub rate_limit_burst: Option<NonZeroU32>,
    /// Proxies, as 10.0.0.0/8, separated by commas, whose header X-Forwarded-For tells the client's
    /// address
    #[arg(long, value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
}

/// Where administration listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A port of this machine alone.
    Port(SocketAddr),
    /// A socket in the file system, for those who may write to it.
    Socket(PathBuf),
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(formatter),
            Self::Socket(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A text that is not shown.
#[derive(Clone)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Redacted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(redacted)")
    }
}

/// `*`, or scheme, host and port as browsers send them.
fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_site = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ', '*']);
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if text == "*" || rest.is_some_and(is_site) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected * or a site without a path, as https://lab.example:8443".into())
    }
}

/// `unix:PATH`, or a loopback address with a port.
fn admin_address(text: &str) -> Result<AdminAddress, String> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(AdminAddress::Socket(path.into()));
    }
    let address = text.replacen("localhost:", "127.0.0.1:", 1).parse::<SocketAddr>();
    address.ok().filter(|address| address.ip().is_loopback()).map(AdminAddress::Port).ok_or_else(|| {
        "expected an address of this machine alone with a port, as 127.0.0.1:8001, or unix:PATH; from elsewhere \
         /admin takes a key (--admin-key-hashes)"
            .into()
    })
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "expected an address or a network, as 10.0.0.0/8".into())
}

#[cfg(test)]
mod tests {
    use super::{AdminAddress, admin_address, network, origin};

    #[test]
    fn origins_are_sites_without_a_path() {
        assert_eq!(origin("https://Lab.example:8443").as_deref(), Ok("https://lab.example:8443"));
        assert_eq!(origin("*").as_deref(), Ok("*"));
        for bad in ["", "lab.example", "https://", "https://lab.example/", "ftp://x", "https://*.x"]
        {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn administration_is_on_this_machine() {
        let port = |text: &str| AdminAddress::Port(text.parse().unwrap());
        assert_eq!(admin_address("127.0.0.1:8001"), Ok(port("127.0.0.1:8001")));
        assert_eq!(admin_address("localhost:0"), Ok(port("127.0.0.1:0")));
        assert_eq!(admin_address("[::1]:8001"), Ok(port("[::1]:8001")));
        assert_eq!(
            admin_address("unix:/run/a.sock"),
            Ok(AdminAddress::Socket("/run/a.sock".into()))
        );
        for bad in
            ["", "8001", "127.0.0.1", "0.0.0.0:8001", "192.168.0.7:8001", "unix:", "sdd.example:80"]
        {
            assert!(admin_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        assert_eq!(network("10.0.0.0/8").unwrap().prefix_len(), 8);
        assert_eq!(network("127.0.0.1").unwrap().prefix_len(), 32);
        assert_eq!(network(" ::1 ").unwrap().prefix_len(), 128);
        assert!(network("proxy.example").is_err());
    }
}
