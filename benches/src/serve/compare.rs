//! The servers in turn, round by round, with the limit measured in each round.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::images::Images;
use super::limit::{Bare, Limit};
use super::program::{Places, Precision, Program, Server, Setup};
use super::run::Run;
use super::upload;
use crate::samples::Quartiles;

/// How far two programs' probabilities of one image may differ: both run the same kernels on the
/// same pixels.
const TOLERANCE: f64 = 1e-3;

/// Clients of the comparison of throughput, for each core: both programs are at their best there.
const CLIENTS_A_CORE: usize = 8;

/// One image kind with its results.
#[derive(Debug)]
pub struct Workload {
    /// What was uploaded.
    pub images: String,
    /// The servers that took part, in the order of each round's runs.
    pub setups: Vec<Setup>,
    /// One after the other, while the machine may have changed its mood.
    pub rounds: Vec<Round>,
}

/// All servers, measured one right after the other.
#[derive(Debug)]
pub struct Round {
    /// Decoding and inference alone: of the fp32 file and of the int8 file.
    pub limits: [Limit; 2],
    /// All cores busy, one for each of the setups.
    pub loaded: Vec<Run>,
    /// One client, one for each of the setups.
    pub single: Vec<Run>,
}

/// How long and how often is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds of a comparison.
    pub rounds: usize,
    /// Of one run.
    pub measured: Duration,
}

/// The servers that are compared, each running.
pub struct Contest {
    setups: Vec<Setup>,
    servers: Vec<Server>,
    bare: [Bare; 2],
    cores: usize,
}

impl Contest {
    /// Starts every server of the comparison.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(places: &Places, cores: usize) -> Result<Self> {
        let setup = |(program, precision)| Setup { program, precision, workers: cores };
        // Those that are compared stand side by side.
        let setups = [
            (Program::OursWithDrift, Precision::Fp32),
            (Program::Ours, Precision::Fp32),
            (Program::Peer, Precision::Fp32),
            (Program::Ours, Precision::Int8),
            (Program::Peer, Precision::Int8),
        ]
        .map(setup);
        let servers = setups.iter().map(|setup| Server::start(places, setup, None));
        let open = |precision| Bare::open(&places.model(precision), cores);
        Ok(Self {
            servers: servers.collect::<Result<_>>()?,
            setups: setups.to_vec(),
            bare: [open(Precision::Fp32)?, open(Precision::Int8)?],
            cores,
        })
    }

    /// Measures all servers with the same images.
    ///
    /// # Errors
    /// When two answer differently, or one fails.
    pub fn measure(&mut self, images: &Images, effort: Effort) -> Result<Workload> {
        let requests: Vec<Vec<u8>> =
            images.files.iter().map(|file| upload::request(file)).collect();
        self.check_agreement(&requests)?;
        let rounds = (0..effort.rounds).map(|round| {
            eprintln!("{}: round {} of {}", images.name, round + 1, effort.rounds);
            self.round(round, images, &requests, effort.measured)
        });
        let rounds = rounds.collect::<Result<_>>()?;
        Ok(Workload { images: images.name.clone(), setups: self.setups.clone(), rounds })
    }

    fn round(
        &mut self,
        round: usize,
        images: &Images,
        requests: &[Vec<u8>],
        measured: Duration,
    ) -> Result<Round> {
        // Long enough for a hundred images; the two precisions and situations make four of them.
        let brief = measured / 3;
        let [fp32, int8] = &mut self.bare;
        let limits = [fp32.measure(&images.files, brief)?, int8.measure(&images.files, brief)?];
        // Every other round in the opposite order, so that none is always the first.
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        let all = |clients, measured| -> Result<Vec<Run>> {
            let mut runs = order
                .iter()
                .map(|&i| {
                    let run = Run::measure(&self.servers[i], requests, clients, measured);
                    Ok((i, run.with_context(|| self.setups[i].name())?))
                })
                .collect::<Result<Vec<_>>>()?;
            runs.sort_by_key(|(i, _)| *i);
            Ok(runs.into_iter().map(|(_, run)| run).collect())
        };
        Ok(Round {
            limits,
            single: all(1, brief)?,
            loaded: all(CLIENTS_A_CORE * self.cores, measured)?,
        })
    }

    /// Whoever does less work would win: all servers with the same model must give the same answers.
    fn check_agreement(&self, requests: &[Vec<u8>]) -> Result<()> {
        for request in requests {
            let mut first: [Option<serde_json::Value>; 2] = [None, None];
            for (setup, server) in self.setups.iter().zip(&self.servers) {
                let answer = server.predict(request).with_context(|| setup.name())?;
                let known = &mut first[usize::from(setup.precision == Precision::Int8)];
                let known = known.get_or_insert_with(|| answer.clone());
                if !agree(known, &answer) {
                    bail!("{} answers {answer}, another server {known}", setup.name());
                }
            }
        }
        Ok(())
    }
}

/// Whether two answers name the same class and nearly the same probabilities.
fn agree(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    let probabilities = |answer: &serde_json::Value| answer["probabilities"].as_object().cloned();
    let (Some(known), Some(found)) = (probabilities(one), probabilities(other)) else {
        return false;
    };
    let near = |label: &String| {
        let [known, found] =
            [&known, &found].map(|map| map.get(label).and_then(serde_json::Value::as_f64));
        matches!((known, found), (Some(a), Some(b)) if (a - b).abs() <= TOLERANCE)
    };
    one["class"] == other["class"] && known.len() == found.len() && known.keys().all(near)
}

impl Workload {
    /// Where a setup stands among the runs of a round.
    pub fn place(&self, program: Program, precision: Precision) -> Option<usize> {
        let is = |setup: &Setup| setup.program == program && setup.precision == precision;
        self.setups.iter().position(is)
    }

    /// The quartiles over the rounds of what `value` makes of a round.
    pub fn over_rounds(&self, value: impl Fn(&Round) -> f64) -> Quartiles {
        Quartiles::of(self.rounds.iter().map(value).collect())
    }
}

impl Round {
    /// The limit of one of the models.
    pub fn limit(&self, precision: Precision) -> &Limit {
        &self.limits[usize::from(precision == Precision::Int8)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::agree;

    #[test]
    fn answers_agree_by_class_and_probabilities() {
        let answer = |class: &str, p: f64| json!({"class": class, "probabilities": {"defect": p}});
        assert!(agree(&answer("defect", 0.9), &answer("defect", 0.9004)));
        assert!(!agree(&answer("defect", 0.9), &answer("defect", 0.92)));
        assert!(!agree(&answer("defect", 0.9), &answer("good", 0.9)));
        assert!(!agree(&answer("defect", 0.9), &json!({"class": "defect"})));
        let more = json!({"class": "defect", "probabilities": {"defect": 0.9, "good": 0.1}});
        assert!(!agree(&answer("defect", 0.9), &more));
    }
}
