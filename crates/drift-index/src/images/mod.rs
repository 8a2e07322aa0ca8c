//! From what a command line names to embeddings.

pub mod classify;
pub mod embedded;
pub mod file;
pub mod folder;
pub mod read;
pub mod source;
