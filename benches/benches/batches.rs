//! What batches bring on a device: the engine against ONNX Runtime alone.
//!
//! For each batch size, images a second of `session.run` on one thread with batches of that size, and
//! of the engine with that `max_batch` when as many clients as fill two batches ask all the time.
//! The inputs are preprocessed, so that only the device is measured.
//!
//! `SDD_DEVICE=cuda` measures on a GPU; where it cannot be used the program says so and measures
//! nothing. `SDD_MODEL` names another model.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sdd_benches::DEFAULT_MODEL;
use sdd_benches::machine::processor;
use sdd_benches::samples::Samples;
use sdd_core::{Classifier, ClassifierOptions};
use sdd_serving::Origin;
use sdd_serving::engine::{Admission, Engine, EngineObserver, EngineOptions, Input, Pair, Ticket};

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
    let options = options(1)?;
    let alone = ClassifierOptions { device: options.device, ..ClassifierOptions::default() };
    let mut classifier = match Classifier::open(&options.model, &alone) {
        Err(error @ sdd_core::Error::Device { .. }) => {
            println!("not measured: {error}");
            return Ok(());
        }
        opened => opened?,
    };
    println!(
        "{} on {}; {}; {IMAGES} images, median of {ROUNDS} rounds",
        options.model.display(),
        classifier.device(),
        processor()
    );
    println!(
        "{:>6} {:>18} {:>18} {:>22}",
        "batch", "session.run img/s", "engine img/s", "engine / run x sessions"
    );
    for batch in BATCHES {
        let options = self::options(batch)?;
        let sessions = options.sessions(classifier.device());
        let samples = measure(&mut classifier, &options, batch)?;
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

/// Model and device as the environment names them, with so many images in a pass.
fn options(max_batch: usize) -> Result<EngineOptions, Box<dyn Error>> {
    let model = std::env::var_os("SDD_MODEL").unwrap_or_else(|| DEFAULT_MODEL.into());
    let mut options = EngineOptions::new(model.into());
    if let Ok(device) = std::env::var("SDD_DEVICE") {
        options.device = device.parse()?;
    }
    if let Ok(workers) = std::env::var("SDD_WORKERS") {
        options.workers = workers.parse()?;
    }
    Ok(EngineOptions { neighbors: 0, max_batch: Some(max_batch), ..options })
}

/// Seconds that [`IMAGES`] images take either way, in turns.
fn measure(
    classifier: &mut Classifier,
    options: &EngineOptions,
    batch: usize,
) -> Result<Samples<2>, Box<dyn Error>> {
    let inputs = vec![0.5; batch * classifier.input_reader().tensor_len()];
    let pair = Pair::load(options)?;
    let admission = Arc::new(Admission::new(options.workers, IMAGES));
    let observer: Arc<dyn EngineObserver> = Arc::new(());
    let engine = Engine::start(pair, &admission, &observer)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let sessions = options.sessions(classifier.device());
    let mut failure = None;
    let samples = Samples::measure(ROUNDS, Duration::ZERO, |way, _| {
        let done = match way {
            RAW => run(classifier, batch, &inputs),
            _ => runtime.block_on(ask(&engine, &admission, 2 * batch * sessions)),
        };
        failure = failure.take().or(done.err());
    });
    failure.map_or(Ok(samples), Err)
}

/// Runs batches of these inputs until [`IMAGES`] are answered.
fn run(classifier: &mut Classifier, batch: usize, inputs: &[f32]) -> Result<(), Box<dyn Error>> {
    for _ in 0..IMAGES / batch {
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
                    let ticket =
                        Ticket { permit, deadline, keep_image: false, origin: Origin::default() };
                    engine.answer(Input::Tensor(tensor.clone()), ticket).await?;
                }
            }
            Ok::<_, Box<dyn Error>>(())
        }
    });
    join_all(asking).await.into_iter().collect()
}
