//! `drift-index build`: a reference store from images or from embeddings.

mod split;
mod summary;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use ndarray::Array2;
use sdd_drift::{PValueWithin, Score, ScoreMethod, VerdictRule};
use sdd_index::{FileStore, ModelIdentity, Normalization, Record, StoreContents};

use self::split::HeldOutSide;
use self::summary::{Built, Summary};
use crate::answer::{Answer, count};
use crate::calibration::{attachments, calibrate, uncalibrated, warn_of_classes};
use crate::exit::ExitStatus;
use crate::groups::GroupArguments;
use crate::held_out::HeldOut;
use crate::help;
use crate::images::read::{Beside, read};
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::{Model, ModelArguments};
use crate::remarks::{Part, Remarks};
use crate::rule_arguments::{RuleArguments, open_unit_interval};
use crate::sides::Sides;
use crate::store_argument::KeepArguments;

const BEFORE_HELP: &str = "\
Examples:
  drift-index build train/ --calibrate held_out/ --model my.onnx --out store
  drift-index build parts/ --calibrate-share 0.2 --group-csv parts.csv:item --out store
  drift-index build train.npy --classes train.txt --calibrate held_out.npy --out store

The class of an image is the first folder below the one named. Images that cannot be
read are listed and left out (exit code 3). Of images with the same embedding the first
one counts, and one that is in the reference is not held out. A store that is there is
replaced once the new one is complete, and kept as an earlier generation.";

const AFTER_HELP: &str = "\
JSON (--json): status, store, images, dimension, normalization,
labels [{label, count}], model {name, version, sha256} or null, score {method, k},
calibration {images, groups, alpha, p_value {kind, delta}, within, threshold,
classes [{class, images, threshold}], source} or null,
skipped [{part, image, code, reason}],
duplicates [{part, image, same_as, other_class}],
ignored {hidden, other_files, loops}, seconds. `part` is reference or calibration.";

/// Build a store from images or a matrix of embeddings
#[derive(Debug, Args)]
#[command(
    help_template = help::TEMPLATE,
    before_help = BEFORE_HELP,
    after_help = AFTER_HELP,
    // `requires` is not enough, here and below: clap drops a requirement that conflicts with a flag at hand.
    group = ArgGroup::new("grouping").args(["group_regex", "group_csv"]).requires("share")
        .conflicts_with("calibrate"),
)]
pub struct Arguments {
    /// Folder of images with all below it, image files, or a matrix FILE.npy
    #[arg(value_name = "IMAGES", required = true)]
    images: Vec<PathBuf>,

    /// The store to write
    #[arg(long, value_name = "STORE")]
    out: PathBuf,

    /// Classes of a matrix, one a line, or of captured images, as `capture list` lists them
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,

    /// Ids of a matrix, one a line [default: the row numbers, from 0]
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// Held-out images that are known to be fine: named as IMAGES
    #[arg(
        long = "calibrate",
        value_name = "IMAGES",
        conflicts_with = "share",
        help_heading = "Calibration"
    )]
    calibrate: Vec<PathBuf>,

    /// Classes of a held-out matrix, as the model predicts them
    #[arg(long, value_name = "FILE", requires = "calibrate", help_heading = "Calibration")]
    calibrate_classes: Option<PathBuf>,

    /// Share of the groups of IMAGES to hold out instead
    #[arg(
        id = "share",
        long = "calibrate-share",
        value_name = "SHARE",
        value_parser = open_unit_interval,
        requires = "grouping",
        help_heading = "Calibration"
    )]
    share: Option<f64>,

    /// Chooses which groups are held out
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        requires = "share",
        conflicts_with = "calibrate",
        help_heading = "Calibration"
    )]
    seed: u64,

    #[command(flatten)]
    groups: GroupArguments,

    #[command(flatten)]
    rule: RuleArguments,

    /// What is done to embeddings before they are compared by nearest neighbors
    #[arg(
        long,
        default_value = "l2",
        value_parser = normalization_parser(),
        help_heading = "Score and rule (an update keeps what is not given)"
    )]
    normalize: Normalization,

    #[command(flatten)]
    model: ModelArguments,

    /// SHA-256 of the model that made a matrix, where its file is not at hand
    #[arg(
        long,
        value_name = "HEX",
        value_parser = sha256,
        conflicts_with = "model",
        help_heading = "Model"
    )]
    model_sha256: Option<String>,

    /// Name of that model
    #[arg(
        long,
        value_name = "NAME",
        default_value = "unnamed",
        requires = "model_sha256",
        conflicts_with = "model",
        help_heading = "Model"
    )]
    model_name: String,

    /// Version of that model
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "unknown",
        requires = "model_sha256",
        conflicts_with = "model",
        help_heading = "Model"
    )]
    model_version: String,

    #[command(flatten)]
    keeping: KeepArguments,
}

/// What a store is made of.
struct Material {
    model: Option<ModelIdentity>,
    /// N x D, as the model made them.
    embeddings: Array2<f32>,
    /// One a row.
    records: Vec<Record>,
    held_out: Option<HeldOut>,
    remarks: Remarks,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    let score = arguments.rule.score(Score::default())?;
    let rule = arguments.rule.rule(None)?;
    check_destination(&arguments.out)?;
    let interrupt = Interrupt::listen()?;
    let material = gather(arguments, score.method(), &rule, &interrupt)?;
    let built = write(material, score, &rule, arguments, &interrupt)?;
    let status = ExitStatus::done(!built.remarks.skipped.is_empty());
    Answer::new(status, &Summary::new(&arguments.out, built, started.elapsed()))
}

/// Finds out before the work, not after it, that nothing can be written there.
fn check_destination(out: &Path) -> Result<()> {
    if let Ok(mut entries) = fs::read_dir(out) {
        let is_store = ["manifest.json", ".lock"].iter().any(|name| out.join(name).exists());
        ensure!(
            is_store || entries.next().is_none(),
            "{} holds something that is no reference store: choose a new or an empty folder",
            out.display(),
        );
    } else {
        ensure!(!out.exists(), "{} is not a folder that can be read", out.display());
    }
    let existing = out.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    tempfile::tempdir_in(existing)
        .with_context(|| format!("cannot write into {}", existing.display()))?;
    Ok(())
}

/// Reads both sides. What is known to fail is said before the work.
fn gather(
    arguments: &Arguments,
    method: ScoreMethod,
    rule: &VerdictRule,
    interrupt: &Interrupt,
) -> Result<Material> {
    let mut reference = Source::find(&arguments.images, arguments.classes.as_deref())?;
    let held_out = find_held_out(arguments, &mut reference)?;
    if let Some(held_out) = &held_out {
        check_held_out(&held_out.images, &reference, arguments, rule)?;
    }
    let mut model = Model::new(&arguments.model);
    if let Source::Images(folder) = &reference {
        ensure!(
            arguments.model_sha256.is_none(),
            "--model-sha256 is of the model that made a matrix; images are embedded by --model"
        );
        let folders = folder.images.iter().filter_map(|image| image.label.as_deref());
        check_classes(&folders.collect(), &model.spec()?.labels, method)?;
    }
    let mut remarks = Remarks::default();
    let beside = Beside { classes: arguments.classes.as_deref(), ids: arguments.ids.as_deref() };
    let part = Some(Part::Reference);
    let reference = read(reference, beside, part, &mut model, &mut remarks, interrupt)?;
    let dimension = reference.embeddings.ncols();
    let classes = arguments.calibrate_classes.as_deref();
    let held_out = match held_out {
        Some(held_out) => Some(held_out.read(classes, &mut model, &mut remarks, interrupt)?),
        None => None,
    };
    if let Some(held_out) = &held_out {
        let columns = held_out.embeddings.ncols();
        ensure!(
            columns == dimension,
            "the held-out embeddings have {columns} columns, and the reference has {dimension}"
        );
    }
    let model = identity(&mut model, arguments, reference.of_matrix, dimension)?;
    let (embeddings, records) = reference.into_rows();
    Ok(Material { model, embeddings, records, held_out, remarks })
}

/// What was named for the held-out side, or a share that is taken from the reference.
fn find_held_out(arguments: &Arguments, reference: &mut Source) -> Result<Option<HeldOutSide>> {
    if let (Some(share), Some(rule)) = (arguments.share, arguments.groups.rule()?) {
        return HeldOutSide::split(reference, rule, share, arguments.seed).map(Some);
    }
    if arguments.calibrate.is_empty() {
        return Ok(None);
    }
    let classes = arguments.calibrate_classes.as_deref();
    Source::find(&arguments.calibrate, classes).map(HeldOutSide::named).map(Some)
}

fn check_held_out(
    held_out: &Source,
    reference: &Source,
    arguments: &Arguments,
    rule: &VerdictRule,
) -> Result<()> {
    let (required, VerdictRule { alpha, p_value, .. }) = (rule.required_images(), rule);
    match held_out {
        Source::Images(folder) => {
            ensure!(
                matches!(reference, Source::Images(_)) || arguments.model.is_named(),
                "the held-out images are embedded by a model: name the one that made the matrix (--model)"
            );
            ensure!(
                folder.images.len() >= required,
                "the calibration is too small for alpha = {alpha}: it has {}, and with p-values of kind {p_value} an \
                 alarm is possible from {required} on; hold out more or choose a larger --alpha",
                count(folder.images.len(), "image"),
            );
        }
        Source::Matrix(_) => ensure!(
            rule.within != PValueWithin::PredictedClass || arguments.calibrate_classes.is_some(),
            "p-values within the predicted class need the classes of the held-out embeddings: name them with \
             --calibrate-classes",
        ),
    }
    Ok(())
}

/// A class-wise score needs the model's classes among the folders.
fn check_classes(folders: &HashSet<&str>, classes: &[String], score: ScoreMethod) -> Result<()> {
    if !score.is_class_wise() {
        return Ok(());
    }
    let missing: Vec<&str> =
        classes.iter().map(String::as_str).filter(|class| !folders.contains(class)).collect();
    ensure!(
        missing.len() < classes.len(),
        "the score `{score}` compares within the model's classes ({}), and there is no folder of any: \
         name the folders like the classes, or choose another --score",
        classes.join(", "),
    );
    if !missing.is_empty() {
        eprintln!(
            "warning: there is no folder of {}: images of that class will have no score",
            missing.join(", "),
        );
    }
    Ok(())
}

/// The model that made the embeddings, where it is known.
fn identity(
    model: &mut Model<'_>,
    arguments: &Arguments,
    of_matrix: bool,
    dimension: usize,
) -> Result<Option<ModelIdentity>> {
    if let Some(identity) = model.identity() {
        let stated = model.spec()?.embedding_dimension;
        ensure!(
            !of_matrix || stated == dimension,
            "{} makes embeddings of {stated} values, and the matrix has {dimension} columns: \
             it is not their model",
            identity.name,
        );
        return Ok(Some(identity));
    }
    Ok(arguments.model_sha256.clone().map(|sha256| ModelIdentity {
        name: arguments.model_name.clone(),
        version: arguments.model_version.clone(),
        sha256,
    }))
}

/// Scores the held-out images and writes the store.
fn write(
    material: Material,
    score: Score,
    rule: &VerdictRule,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<Built> {
    let Material { model, embeddings, records, held_out, mut remarks } = material;
    let mut sides = Sides::new(arguments.normalize);
    let (embeddings, records) = sides.admit(embeddings, records, &mut remarks)?;
    let held_out = held_out.map(|held_out| sides.hold_out(held_out, &mut remarks));
    let asked_for = score;
    let score = score.at_most(embeddings.nrows());
    if score != asked_for {
        eprintln!("warning: there are fewer reference images than neighbors: the score is {score}");
    }
    let store = Arc::new(FileStore::in_memory(&StoreContents {
        model,
        normalization: arguments.normalize,
        embeddings,
        records,
        attachments: BTreeMap::new(),
    })?);
    let calibrated = if let Some(held_out) = held_out {
        Some(calibrate(&store, score, held_out, *rule, &mut remarks, interrupt)?)
    } else {
        // Fails now and not when the store is opened.
        uncalibrated(&store, score)?;
        None
    };
    if let Some(calibrated) = &calibrated {
        warn_of_classes(&calibrated.calibration);
    }
    interrupt.check()?;
    let store = Arc::into_inner(store).context("the store is still in use")?;
    let attachments = attachments(&store, score, calibrated.as_ref());
    let store = store.with_attachments(attachments)?;
    arguments.keeping.save_built(&store, &arguments.out)?;
    let store = FileStore::open(&arguments.out)?;
    Ok(Built {
        manifest: store.manifest().clone(),
        labels: store.labels(),
        score,
        calibration: calibrated.map(|calibrated| calibrated.calibration),
        remarks,
    })
}

fn normalization_parser() -> impl TypedValueParser<Value = Normalization> {
    PossibleValuesParser::new(["l2", "none"]).map(|name| match name.as_str() {
        "none" => Normalization::None,
        _ => Normalization::L2,
    })
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected 64 hexadecimal digits".into())
    }
}
