//! Which keys a path asks for.

use crate::security::keys::KeyRing;

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// For everybody, by whatever name: whether the server lives. Orchestrators ask without a key.
    Health,
    /// For everybody: what the server can be asked. The same for every server of this version, it tells nothing of the
    /// model; pages ask for a key where one is needed.
    Page,
    /// For those who watch the server, with any key.
    Metrics,
    /// For the operators.
    Admin,
    /// For clients: all other paths, so that a new one is not open by mistake.
    Client,
}

const HEALTH: [&str; 5] = ["/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"];

const PAGES: [&str; 4] = ["/", "/dashboard", "/docs", "/openapi.json"];

/// Files that the pages load.
const PAGE_FOLDERS: [&str; 2] = ["/docs/", "/ui/"];

impl Area {
    /// Of a path as it is routed, which is with its harmless escapes resolved.
    pub fn of(path: &str) -> Self {
        let is_file = PAGE_FOLDERS.iter().any(|folder| path.starts_with(folder));
        if HEALTH.contains(&path) {
            Self::Health
        } else if PAGES.contains(&path) || is_file {
            Self::Page
        } else if path == "/metrics" {
            Self::Metrics
        } else if path.starts_with("/admin") {
            Self::Admin
        } else {
            Self::Client
        }
    }

    /// Whether a key has to be shown here.
    pub fn needs_key(self, keys: &KeyRing) -> bool {
        match self {
            Self::Health | Self::Page => false,
            Self::Client | Self::Metrics => keys.for_clients,
            Self::Admin => keys.for_admins,
        }
    }
}
