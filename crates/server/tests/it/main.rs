//! The real program, with the real ONNX Runtime and FAISS, on a free port.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod browser;
mod documents;
mod errors;
mod hostile;
mod lifecycle;
mod page;
mod predict;
mod server;
mod store;
