//! What there is too little of when a request is refused as too much.

use sdd_serving::engine::EngineShortage;
use thiserror::Error;

/// What there is too little of for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Shortage {
    /// Of room or of time in the engine.
    #[error("{shortage}{flag}", shortage = .0, flag = flag_of(*.0))]
    Engine(#[from] EngineShortage),
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
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine(EngineShortage::Room) => "room",
            Self::Engine(EngineShortage::Time) => "time",
            Self::Memory => "memory",
            Self::Streams => "streams",
            Self::Monitor => "monitor",
            Self::Reports => "reports",
        }
    }
}

/// The flag that gives more of it, which the engine does not know.
fn flag_of(shortage: EngineShortage) -> &'static str {
    if shortage == EngineShortage::Room { " (see --queue)" } else { "" }
}
