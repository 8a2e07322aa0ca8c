//! What batches bring on a device: the engine of the server against ONNX Runtime alone.
//!
//! For each batch size, images a second of `session.run` on one thread with batches of that size, and
//! of the engine with that `--max-batch` when as many clients as fill two batches ask all the time.
//! The inputs are preprocessed, so that only the device is measured.
//!
//! `SDD_DEVICE=cuda` measures on a GPU; where it cannot be used the program says so and measures
//! nothing. `SDD_MODEL` names another model.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::future::join_all;
use ndarray::Array4;
use sdd_benches::machine::processor;
use sdd_benches::samples::Samples;
use sdd_core::{Classifier, ClassifierOptions};
use sdd_server::engine::{Admission, Engine, Input, Pair, Ticket};
use sdd_server::metrics::Metrics;
use sdd_server::settings::{Cli, ModelSettings};

const BATCHES: [usize; 5] = [1, 2, 4, 8, 16];
const ROUNDS: usize = 3;
/// Images in one measurement: enough for many batches of the largest size.
const IMAGES: usize = 64;

const RAW: usize = 0;
const ENGINE: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    // Where the default model is looked for.
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))?;
    sdd_index::check_cpu()?;
    let settings = settings(1);
    let options = ClassifierOptions { device: settings.device, ..ClassifierOptions::default() };
    let mut classifier = match Classifier::open(&settings.model, &options) {
        Err(error @ sdd_core::Error::Device { .. }) => {
            println!("not measured: {error}");
            return Ok(());
        }
        opened => opened?,
    };
    println!(
        "{} on {}; {}; {IMAGES} images, median of {ROUNDS} rounds",
        settings.model.display(),
        classifier.device(),
        processor()
    );
    println!(
        "{:>6} {:>18} {:>18} {:>22}",
        "batch", "session.run img/s", "engine img/s", "engine / run x sessions"
    );
    for batch in BATCHES {
        let settings = self::settings(batch);
        let sessions = settings.sessions(classifier.device());
        let samples = measure(&mut classifier, &settings, batch)?;
        let per_second = |way| IMAGES as f64 / samples.seconds(way).median;
        println!(
            "{batch:>6} {:>18.1} {:>18.1} {:>22.2}",
            per_second(RAW),
            per_second(ENGINE),
            samples.ratio(RAW, ENGINE).median / sessions as f64
        );
    }
    Ok(())
}

/// The server's settings, from the environment, with this `--max-batch`.
fn settings(max_batch: usize) -> ModelSettings {
    let max_batch = max_batch.to_string();
    Cli::parse_from(["sdd-server", "--reference", "none", "--max-batch", &max_batch]).settings.model
}

/// Seconds that [`IMAGES`] images take either way, in turns.
fn measure(
    classifier: &mut Classifier,
    settings: &ModelSettings,
    batch: usize,
) -> Result<Samples<2>, Box<dyn Error>> {
    let [channels, height, width] = classifier.input_shape();
    let inputs = Array4::from_elem((batch, channels, height, width), 0.5);
    let pair = Pair::load(settings)?;
    let admission = Arc::new(Admission::new(settings.workers(), IMAGES));
    let metrics = Metrics::new();
    let engine = Engine::start(pair, 0, batch, &admission, metrics.engine())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let sessions = settings.sessions(classifier.device());
    let mut failure = None;
    let samples = Samples::measure(ROUNDS, Duration::ZERO, |way, _| {
        let done = match way {
            RAW => run(classifier, &inputs),
            _ => runtime.block_on(ask(&engine, &admission, 2 * batch * sessions)),
        };
        failure = failure.take().or(done.err());
    });
    failure.map_or(Ok(samples), Err)
}

/// Runs batches of these inputs until [`IMAGES`] are answered.
fn run(classifier: &mut Classifier, inputs: &Array4<f32>) -> Result<(), Box<dyn Error>> {
    for _ in 0..IMAGES / inputs.shape()[0] {
        classifier.run(inputs).into_iter().collect::<sdd_core::Result<Vec<_>>>()?;
    }
    Ok(())
}

/// Asks for [`IMAGES`] answers, `clients` at a time.
async fn ask(engine: &Engine, admission: &Admission, clients: usize) -> Result<(), Box<dyn Error>> {
    let preprocessing = &engine.served().spec.preprocessing;
    let tensor = vec![0.5; 3 * preprocessing.height as usize * preprocessing.width as usize];
    let clients = clients.min(IMAGES);
    let asking = (0..clients).map(|client| {
        let tensor = &tensor;
        async move {
            for _ in (client..IMAGES).step_by(clients) {
                let deadline = Instant::now() + Duration::from_mins(10);
                for permit in admission.admit(1, deadline)? {
                    let ticket = Ticket { permit, deadline, keep_image: false };
                    engine.answer(Input::Tensor(tensor.clone()), ticket).await?;
                }
            }
            Ok::<_, Box<dyn Error>>(())
        }
    });
    join_all(asking).await.into_iter().collect()
}
