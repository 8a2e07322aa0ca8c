//! Which server and database, and how the way there is secured.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, Result};

/// Time that a connection may take, each address of the server's by itself, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time after which a server that acknowledges nothing counts as gone.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is expected, for messages.
const EXPECTED: &str = "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE, or host=HOST port=PORT user=USER \
                        password=PASSWORD dbname=DATABASE sslmode=MODE; in a URL, %XX stands for what has a meaning there";

/// Which database of which server, by whom, and how the way there is secured.
///
/// The password is not shown by `Debug` or `Display`.
#[derive(Clone, PartialEq)]
pub struct PostgresAddress {
    pub(super) config: Config,
    pub(super) security: Security,
}

/// What `sslmode` asks for, in libpq's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Security {
    /// `disable`, and `prefer` (the default) and `require`: encrypted or not, the server is not verified.
    Unverified,
    /// `verify-full`: encrypted, with a certificate for the host's name by one of these authorities, or by one that
    /// the machine trusts.
    Verified { authorities: Option<PathBuf> },
}

impl PostgresAddress {
    /// With the password that the environment has for it, where the connection string has none, as libpq finds it:
    /// `PGPASSWORD`, or the line of the password file (`PGPASSFILE`, else `~/.pgpass`), which nobody else may read.
    #[must_use]
    pub fn with_password_of(mut self, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        if self.config.get_password().is_none()
            && let Some(password) = super::password::find(&self.config, variable)
        {
            self.config.password(password);
        }
        self
    }
}

impl FromStr for PostgresAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (rest, options) = split(text)?;
        // The reason is not passed on: it might quote a part of the password.
        let mut config: Config = rest.parse().map_err(|_| invalid(EXPECTED))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid(format!("a host is missing: {EXPECTED}")));
        }
        let [mode, authorities] = options;
        let (mode, is_verified) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, false),
            None | Some("prefer") => (SslMode::Prefer, false),
            Some("require") => (SslMode::Require, false),
            Some("verify-full") => (SslMode::Require, true),
            Some(_) => {
                let expected = "expected sslmode to be disable, prefer, require or verify-full";
                return Err(invalid(expected));
            }
        };
        // libpq's name for what the machine trusts.
        let authorities = authorities.filter(|path| path != "system").map(PathBuf::from);
        let security = match (is_verified, authorities) {
            (true, authorities) => Security::Verified { authorities },
            (false, None) => Security::Unverified,
            (false, Some(_)) => {
                return Err(invalid("sslrootcert is used with sslmode=verify-full alone"));
            }
        };
        config.ssl_mode(mode).tcp_user_timeout(TCP_USER_TIMEOUT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("sdd-monitor");
        }
        Ok(Self { config, security })
    }
}

/// Takes `sslmode` and `sslrootcert` out of a connection string.
fn split(text: &str) -> Result<(String, [Option<String>; 2])> {
    let mut options = [None, None];
    let mut take = |key: &str, value: &str| {
        let index = ["sslmode", "sslrootcert"].iter().position(|name| *name == key);
        index.map(|index| options[index] = Some(value.to_owned())).is_some()
    };
    let rest = if text.contains("://") {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let parts = query.split('&').filter(|part| !part.is_empty());
        let others = parts.filter(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            !take(key, &value.replace("%2F", "/").replace("%2f", "/"))
        });
        let others = others.collect::<Vec<_>>().join("&");
        let question = if others.is_empty() { "" } else { "?" };
        format!("{address}{question}{others}")
    } else {
        let parts = pairs(text).ok_or_else(|| invalid(EXPECTED))?;
        let others = parts.into_iter().filter(|(key, value)| !take(key, value));
        let quoted = |value: String| value.replace('\\', "\\\\").replace('\'', "\\'");
        let others = others.map(|(key, value)| format!("{key}='{}'", quoted(value)));
        others.collect::<Vec<_>>().join(" ")
    };
    Ok((rest, options))
}

/// `key=value key='value with \' and \\'`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quoted = after.strip_prefix('\'');
        let (mut value, mut end, mut letters) =
            (String::new(), None, quoted.unwrap_or(after).char_indices());
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => value.push(letters.next()?.1),
                '\'' if quoted.is_some() => {
                    end = Some(at + 1);
                    break;
                }
                ' ' | '\t' | '\n' if quoted.is_none() => {
                    end = Some(at);
                    break;
                }
                other => value.push(other),
            }
        }
        if quoted.is_some() && end.is_none() {
            return None;
        }
        found.push((key.trim().to_owned(), value));
        let value = quoted.unwrap_or(after);
        rest = value[end.unwrap_or(value.len())..].trim_start();
    }
    Some(found)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidLocation { reason: reason.into() }
}

/// `host:port/database`, several hosts separated by commas.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        let names: Vec<String> = if config.get_hosts().is_empty() {
            config.get_hostaddrs().iter().map(ToString::to_string).collect()
        } else {
            let name = |host: &Host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            config.get_hosts().iter().map(name).collect()
        };
        let port = |index: usize| {
            let ports = config.get_ports();
            ports.get(index).or(ports.first()).copied().unwrap_or(5432)
        };
        let hosts: Vec<String> =
            names.iter().enumerate().map(|(i, name)| format!("{name}:{}", port(i))).collect();
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
        write!(f, "{}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresAddress({self}, {:?})", self.security)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PostgresAddress {
        text.parse().unwrap()
    }

    #[test]
    fn sslmode_means_what_it_does_to_libpq() {
        let both = |mode: &str| {
            let url = read(&format!(
                "postgres://u:p@h/d?application_name=a&sslmode={mode}&connect_timeout=1"
            ));
            assert_eq!(
                url,
                read(&format!(
                    "host=h port=5432 user=u password=p dbname=d connect_timeout=1 sslmode='{mode}' application_name=a"
                ))
            );
            assert_eq!(url.config.get_application_name(), Some("a"));
            (url.config.get_ssl_mode(), url.security)
        };
        let verified = Security::Verified { authorities: None };
        assert_eq!(both("disable"), (SslMode::Disable, Security::Unverified));
        assert_eq!(both("prefer"), (SslMode::Prefer, Security::Unverified));
        assert_eq!(both("require"), (SslMode::Require, Security::Unverified));
        assert_eq!(both("verify-full"), (SslMode::Require, verified.clone()));
        assert_eq!(read("host=h").config.get_ssl_mode(), SslMode::Prefer);
        let own = read("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fa%2Fca.pem").security;
        assert_eq!(own, Security::Verified { authorities: Some("/a/ca.pem".into()) });
        let system = read("postgres://h/d?sslrootcert=system&sslmode=verify-full").security;
        assert_eq!(system, verified);
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_quoted() {
        for bad in [
            "postgres://u:sesame@h:port/d",
            "postgres://u:sesame@h/d?sslmode=verify-ca",
            "postgres://u:sesame@h/d?sslmode=require&sslrootcert=a",
            "postgres://u:sesame@h/d?tls=yes",
            "host=h password=sesame open",
            "host=h password='sesame",
            "host=h password=se=sa sesame=x",
            "password=sesame dbname=d",
        ] {
            let refused = bad.parse::<PostgresAddress>().unwrap_err();
            assert_eq!(refused.code(), "invalid_monitor_location", "{bad}");
            assert!(!format!("{refused} {refused:?}").contains("sesame"), "{refused:?}");
        }
    }

    #[test]
    fn values_may_be_quoted() {
        let address = read(r"host=/run/pg user=u  password='a b\'c\\' port = 5433 dbname=d");
        assert_eq!(address.config.get_password(), Some(&br"a b'c\"[..]));
        assert_eq!(address.to_string(), "/run/pg:5433/d");
    }
}
