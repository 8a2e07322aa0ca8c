//! From a folder of images to embeddings.

pub mod classified;
pub mod embed;
pub mod file;
pub mod folder;
mod progress;
