//! What can go wrong with a monitor and its memory.

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a monitor and its memory.
///
/// [`code`](Error::code) is a short name that stays the same when a message is reworded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A statistic was asked for what it is not defined for.
    #[error(transparent)]
    Stats(#[from] sdd_stats::Error),

    /// A state is no JSON of the right shape, or of another version.
    #[error(
        "the monitor's stored state cannot be read by this version of the program: use the program that wrote it, or \
         begin a new epoch (POST /admin/drift/reset, see --admin-address)"
    )]
    UnreadableState {
        /// Where and why reading stopped.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// What a monitor cannot be asked to state.
    #[error("expected {expected} as `{name}`, found {found}")]
    InvalidSetting {
        /// The setting.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What was given.
        found: String,
    },

    /// A monitor's state that no stream of images leads to.
    #[error(
        "the monitor's stored state is damaged or forged; begin a new epoch (POST /admin/drift/reset, see --admin-address)"
    )]
    InvalidState {
        /// What contradicts what.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file that is no monitor's, where one was expected.
    #[error(
        "{path} is not a monitor's file ({found}): nothing was written to it; name another file, or move this one away"
    )]
    NotAMonitor {
        /// The file.
        path: std::path::PathBuf,
        /// What it is instead.
        found: String,
    },

    /// A monitor's file that a newer version of this program has written.
    #[error(
        "the monitor's file {path} has schema version {found}, and this program knows versions up to {supported}: \
         use the program that wrote it, or name another file"
    )]
    FileTooNew {
        /// The file.
        path: std::path::PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known.
        supported: i64,
    },

    /// A monitor's file that is damaged.
    #[error(
        "the monitor's file {path} is damaged: nothing was written to it; move it away with the files beside it that end \
         in -wal and -shm, which go with no other; then put a copy in its place, or let the monitor begin anew"
    )]
    FileDamaged {
        /// The file.
        path: std::path::PathBuf,
        /// What the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A monitor's file that is no longer at its path.
    #[error(
        "the monitor's file {path} was moved, removed or replaced while it was in use: what it remembered is wherever it \
         was moved to, and the monitor goes on with what is there now, or begins anew"
    )]
    FileGone {
        /// Where it was.
        path: std::path::PathBuf,
    },

    /// A monitor's file that cannot be used at the moment: it is locked, or the disk is full.
    #[error("the monitor's file {path} cannot be used at the moment: {reason}")]
    Busy {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: &'static str,
        /// What the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A monitor's file that cannot be read or written.
    #[error(
        "cannot {action} the monitor's file {path}: see that its folder can be written to, or name another file"
    )]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// What the database or the operating system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// What names neither a file nor a database for a monitor.
    #[error("this names no place for a monitor's memory: {reason}")]
    InvalidLocation {
        /// What is wrong with it; never the text itself, which may hold a password.
        reason: String,
    },

    /// A database that does not let us in, or not do what must be done: waiting does not help.
    #[error("the monitor's database {database} refuses: {advice}")]
    DatabaseRefuses {
        /// Host, port and name.
        database: String,
        /// What to do.
        advice: &'static str,
        /// What the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A monitor's database that cannot be used at the moment.
    #[error("the monitor's database {database} cannot be used at the moment: {reason}")]
    DatabaseUnavailable {
        /// Host, port and name.
        database: String,
        /// Why.
        reason: &'static str,
        /// What the database or the operating system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// Tables that a newer version of this program has made.
    #[error(
        "the tables of the monitor in the database {database} have schema version {found}, and this program knows \
         versions up to {supported}: use the program that made them, or name another database"
    )]
    DatabaseTooNew {
        /// Host, port and name.
        database: String,
        /// Their version.
        found: i64,
        /// The newest that is known.
        supported: i64,
    },

    /// A monitor's database that does something unexpected.
    #[error("cannot {action} the monitor's database {database}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// Host, port and name.
        database: String,
        /// What the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A stable name of the variant, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stats(error) => error.code(),
            Self::UnreadableState { .. } => "unreadable_monitor_state",
            Self::InvalidSetting { .. } => "invalid_setting",
            Self::InvalidState { .. } => "invalid_monitor_state",
            Self::NotAMonitor { .. } => "not_a_monitor_file",
            Self::FileTooNew { .. } => "monitor_file_too_new",
            Self::FileDamaged { .. } => "monitor_file_damaged",
            Self::FileGone { .. } => "monitor_file_gone",
            Self::Busy { .. } => "monitor_busy",
            Self::File { .. } => "monitor_file",
            Self::InvalidLocation { .. } => "invalid_monitor_location",
            Self::DatabaseRefuses { .. } => "monitor_database_refuses",
            Self::DatabaseUnavailable { .. } => "monitor_database_unavailable",
            Self::DatabaseTooNew { .. } => "monitor_database_too_new",
            Self::Database { .. } => "monitor_database",
        }
    }
}
