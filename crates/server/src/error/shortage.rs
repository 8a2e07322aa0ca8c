//! What there is too little of when a request is refused as too much.

use thiserror::Error;

/// What there is too little of for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Shortage {
    /// All workers are busy, and as many images wait as may.
    #[error("too many images are waiting (see --queue)")]
    Room,
    /// So many images are waiting that the answer would come too late.
    #[error("so many images are waiting that the answer would come too late")]
    Time,
    /// The uploads that are held take all the memory that they may.
    #[error("uploads take all the memory set aside for them (see --max-upload-memory)")]
    Memory,
    /// The connection has as many requests open as it may.
    #[error("too many requests are open on this connection")]
    Streams,
    /// As many questions wait for the drift monitor as may.
    #[error("as many questions wait for the drift monitor as may")]
    Monitor,
    /// As many reports are being made as may at a time.
    #[error("as many reports are being made as may at a time")]
    Reports,
}

impl Shortage {
    /// Its name in the log and in the metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Streams => "streams",
            Self::Monitor => "monitor",
            Self::Reports => "reports",
        }
    }
}
