//! The real program, with the real ONNX Runtime and FAISS, on a free port.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod connections;
mod errors;
mod hostile;
mod lifecycle;
mod predict;
mod security;
mod server;
mod socket;
mod store;
mod tls;
