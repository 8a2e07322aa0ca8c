//! From a folder of images to embeddings.

pub mod classified;
pub mod embed;
pub mod file;
pub mod folder;
pub mod left_out;
