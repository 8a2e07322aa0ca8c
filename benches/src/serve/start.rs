//! How long each program takes from its start until it is ready.

use anyhow::Result;

use super::program::{Places, Precision, Program, Server, Setup};
use crate::samples::Quartiles;

/// Starts of each program.
const STARTS: usize = 5;

/// Seconds from start to the first 200 from `/readyz`, with the fp32 model: ours with its reference,
/// as it is shipped, and the peer.
///
/// # Errors
/// When one does not start.
pub fn measure(places: &Places, cores: usize) -> Result<[Quartiles; 2]> {
    eprintln!("start to ready");
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (program, seconds) in [Program::OursWithDrift, Program::Peer].iter().zip(&mut seconds) {
            let setup = Setup { program: *program, precision: Precision::Fp32, workers: cores };
            let server = Server::start(places, &setup, None)?;
            seconds.push(server.ready_after.as_secs_f64());
        }
    }
    Ok(seconds.map(Quartiles::of))
}
