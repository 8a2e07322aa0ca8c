//! Names of hosts, as one writes them down to allow them.

use std::net::IpAddr;

/// A name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `sdd.example`.
    Name(String),
    /// `*.example`: kept as `.example`.
    Below(String),
    /// `*`.
    Any,
}

impl HostPattern {
    /// As in the settings.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Ok(Self::Any);
        }
        let (is_below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text.as_str()),
        };
        let name = name.trim_matches(['[', ']']).trim_end_matches('.');
        let is_name =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
        let has_port = name.contains(':') && name.parse::<IpAddr>().is_err();
        if name.is_empty() || !is_name || has_port {
            return Err("expected *, a name without a port as sdd.example, or *.example".into());
        }
        Ok(if is_below { Self::Below(format!(".{name}")) } else { Self::Name(name.to_owned()) })
    }

    /// Whether a name, in lower case and without a port, is one of those.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(known) => known == name,
            Self::Below(end) => name.ends_with(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn a_pattern_is_a_name() {
        for bad in
            ["", "*.", "http://a.example", "a.example:80", "a.*.example", "a b", "*a.example"]
        {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(HostPattern::parse("[::1]"), Ok(HostPattern::Name("::1".into())));
    }
}
