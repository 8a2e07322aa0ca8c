//! The real program, with the real ONNX Runtime and FAISS, on a free port.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod errors;
mod hostile;
mod lifecycle;
mod predict;
mod server;
mod store;
mod v2;
mod v2_hostile;
