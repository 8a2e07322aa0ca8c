//! Whether a server's memory grows with what it is sent.

use std::time::Duration;

use anyhow::{Result, bail};

use super::accounting::{self, Memory};
use super::images::{self, Images};
use super::load::{self, Extent, Load};
use super::program::{Places, Precision, Program, Server, Setup};
use super::upload;

/// Uploads that are counted, and between two looks at the memory.
const UPLOADS: usize = 10_000;
const STEP: usize = 1_000;

/// Uploads of the same mix before that: what is allocated once for the largest image is no growth.
const WARM_UP: usize = 3_000;

/// Clients for each core.
const CLIENTS_A_CORE: usize = 4;

/// What a server's memory was after each thousand uploads.
#[derive(Debug)]
pub struct Growth {
    /// Which server.
    pub setup: Setup,
    /// After the warm-up, then after each thousand uploads.
    pub memory: Vec<Memory>,
}

impl Growth {
    /// Bytes more at the end than after the warm-up; below 0 where memory was given back.
    pub fn bytes(&self) -> i64 {
        let at = |memory: Option<&Memory>| memory.map_or(0, |memory| memory.resident.cast_signed());
        at(self.memory.last()) - at(self.memory.first())
    }
}

/// Sends both programs 10,000 uploads of mixed sizes, ours also with drift.
///
/// # Errors
/// When a program does not start, or an upload fails.
pub fn measure(places: &Places, images: Option<Images>, cores: usize) -> Result<Vec<Growth>> {
    let images = images.map_or_else(images::mixed, Ok)?;
    eprintln!("uploads: {}", images.name);
    let requests: Vec<Vec<u8>> = images.files.iter().map(|file| upload::request(file)).collect();
    [Program::Ours, Program::OursWithDrift, Program::Peer]
        .map(|program| Setup { program, precision: Precision::Fp32, workers: cores })
        .into_iter()
        .map(|setup| of(places, setup, &requests, cores))
        .collect()
}

fn of(places: &Places, setup: Setup, requests: &[Vec<u8>], cores: usize) -> Result<Growth> {
    let server = Server::start(places, &setup, None)?;
    let send = |count| -> Result<Memory> {
        let clients = CLIENTS_A_CORE * cores;
        let load = Load { requests, clients, extent: Extent::Requests(count) };
        let outcome = load::run(server.address, &load, || Ok(()))?;
        if outcome.failed > 0 {
            bail!("{}: {} of {count} uploads failed", setup.name(), outcome.failed);
        }
        // Connections that have just been closed are let go of first.
        std::thread::sleep(Duration::from_millis(500));
        accounting::memory(server.id())
    };
    let mut memory = vec![send(WARM_UP)?];
    for step in 1..=UPLOADS / STEP {
        memory.push(send(STEP)?);
        eprintln!(
            "{}: {} uploads, {} KiB resident",
            setup.name(),
            step * STEP,
            memory[step].resident >> 10
        );
    }
    Ok(Growth { setup, memory })
}
