//! The real program, with the real ONNX Runtime and FAISS, on a free port.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod capture;
mod client;
mod drain;
mod errors;
mod hostile;
mod interfaces;
mod lifecycle;
mod overload;
mod predict;
mod reload;
mod server;
mod store;
