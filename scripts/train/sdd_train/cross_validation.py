"""Cross-validation by physical item: which fold trains on what, and the files of a run.

A run folder holds::

    synthetic/                     drawn training images
    fold0/weights.safetensors      the averaged network
    fold0/predictions.csv          its held-out images
    fold0/fold.json                items, recipe, metrics
    reference/{defect,non_defect}/     what fold 0 was trained on
    calibration/{defect,non_defect}/   fold 0's held-out real images
    summary.json, predictions.csv  all folds together
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from . import dataset, evaluation, synthetic, training
from .dataset import Pixels, Sample
from .network import DefectNet
from .training import PREPROCESSING, Recipe

log = logging.getLogger(__name__)

FOLDS = 5
FOLD_SEED = 2024
SYNTHETIC_COUNT = 32
SYNTHETIC_FIRST_SEED = 1000
TARGET_RECALL = 0.95
DATA_LICENSE = "CC BY-NC-SA 4.0"
DATA_SOURCE = "https://www.vicos.si/resources/kolektorsdd/"


@dataclass(frozen=True)
class Split:
    """Indices of a fold's training images (synthetic ones included) and held-out real images."""

    train: list[int]
    held_out: list[int]


def read_samples(data: Path, run: Path) -> list[Sample]:
    """KolektorSDD and the run's synthetic images, which are drawn if they are not there yet."""
    drawn = run / "synthetic"
    if not drawn.exists():
        synthetic.write_set(drawn, SYNTHETIC_COUNT, SYNTHETIC_FIRST_SEED)
    return dataset.read_kolektor(data) + dataset.read_synthetic(drawn)


def split(samples: list[Sample], fold: int) -> Split:
    """The fold's split; no item is on both sides, synthetic images are always trained on."""
    real = [s for s in samples if not s.is_synthetic]
    assignment = dataset.assign_folds(real, FOLDS, FOLD_SEED)
    held_out = [i for i, s in enumerate(samples) if not s.is_synthetic and assignment[s.item] == fold]
    return Split(sorted(set(range(len(samples))) - set(held_out)), held_out)


def items(samples: list[Sample], indices: list[int]) -> list[str]:
    """The real items among some samples."""
    return sorted({samples[i].item for i in indices if not samples[i].is_synthetic})


def provenance(images: int, synthetic_images: int, trained: list[str], held_out: list[str]) -> dict[str, object]:
    """The ``trained_on`` object of a model's metadata."""
    return {
        "dataset": "KolektorSDD",
        "license": DATA_LICENSE,
        "images": images,
        "synthetic_images": synthetic_images,
        "items": trained,
        "held_out_items": held_out,
        "source": DATA_SOURCE,
    }


def copy_by_label(samples: list[Sample], indices: list[int], folder: Path) -> None:
    """Copies images to ``folder/{defect,non_defect}/``, named by item so that no two collide."""
    if folder.exists():
        shutil.rmtree(folder)
    for label in dataset.LABELS:
        (folder / label).mkdir(parents=True)
    for sample in (samples[i] for i in indices):
        name = sample.path.name if sample.is_synthetic else f"item{sample.item}_{sample.path.name}"
        shutil.copyfile(sample.path, folder / sample.label / name)


def write_reference(data: Path, run: Path, fold: int) -> None:
    """Writes ``reference/`` and ``calibration/`` of a fold, for the drift index."""
    samples = read_samples(data, run)
    part = split(samples, fold)
    copy_by_label(samples, part.train, run / "reference")
    copy_by_label(samples, part.held_out, run / "calibration")


def train_fold(pixels: Pixels, fold: int, recipe: Recipe, run: Path) -> None:
    """Trains one fold and writes its folder."""
    samples = list(pixels.samples)
    part = split(samples, fold)
    network = training.train(pixels.subset(part.train), recipe)
    held_out = pixels.subset(part.held_out)
    probability, _ = training.predict(network, held_out.images)
    predictions = evaluation.predictions_of(held_out.samples, fold, probability)
    metrics = evaluation.ranking_metrics(predictions)
    log.info("fold %d: %s", fold, metrics)

    folder = run / f"fold{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    evaluation.write_csv(folder / "predictions.csv", predictions)
    facts = {
        "fold": fold,
        "metrics": metrics,
        "recipe": recipe.as_dict(),
        "training_images": len(part.train),
        "training_items": items(samples, part.train),
        "held_out_items": items(samples, part.held_out),
    }
    (folder / "fold.json").write_text(json.dumps(facts, indent=1) + "\n")


def load_network(run: Path, fold: int) -> DefectNet:
    """The fold's network in evaluation mode."""
    network = DefectNet(PREPROCESSING.height, PREPROCESSING.width, pretrained=False)
    network.load_state_dict(load_file(run / f"fold{fold}" / "weights.safetensors"))
    return network.eval()


def summarise(run: Path) -> dict[str, object]:
    """Joins the folds that are done, writes ``summary.json`` and ``predictions.csv``."""
    predictions = [
        prediction
        for path in sorted(run.glob("fold*/predictions.csv"))
        for prediction in evaluation.read_csv(path)
    ]
    if not predictions:
        raise FileNotFoundError(f"{run}: expected fold*/predictions.csv, found none; train a fold first")
    evaluation.write_csv(run / "predictions.csv", predictions)
    result = evaluation.summary(predictions, TARGET_RECALL)
    (run / "summary.json").write_text(json.dumps(result, indent=1) + "\n")
    return result
