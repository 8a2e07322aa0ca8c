//! Which keys a path asks for.

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// For everybody: whether the server lives, and what it can be asked.
    Public,
    /// For those who watch the server, with any key.
    Metrics,
    /// For the operators.
    Admin,
    /// For clients: all other paths, so that a new one is not open by mistake.
    Client,
}

/// Orchestrators ask the first ones without a key. The others are the same for every server of this
/// version and tell nothing of the model: pages ask for a key where one is needed.
const PUBLIC: [&str; 9] = [
    "/livez",
    "/readyz",
    "/healthz",
    "/v2/health/live",
    "/v2/health/ready",
    "/",
    "/dashboard",
    "/docs",
    "/openapi.json",
];

/// Files that the public pages load.
const PUBLIC_FOLDERS: [&str; 2] = ["/docs/", "/ui/"];

impl Area {
    /// Of a path as it is routed, which is with its harmless escapes resolved.
    pub fn of(path: &str) -> Self {
        let is_public_file = PUBLIC_FOLDERS.iter().any(|folder| path.starts_with(folder));
        if PUBLIC.contains(&path) || is_public_file {
            Self::Public
        } else if path == "/metrics" {
            Self::Metrics
        } else if path.starts_with("/admin") {
            Self::Admin
        } else {
            Self::Client
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Area;

    #[test]
    fn what_is_not_known_is_not_public() {
        assert_eq!(Area::of("/livez"), Area::Public);
        assert_eq!(Area::of("/docs/swagger-ui.css"), Area::Public);
        assert_eq!(Area::of("/metrics"), Area::Metrics);
        assert_eq!(Area::of("/admin/reload"), Area::Admin);
        for path in ["/predict", "/v1/model", "/v2", "/livez/", "//livez", "/docsx", "/LIVEZ", ""] {
            assert_eq!(Area::of(path), Area::Client, "{path}");
        }
    }
}
