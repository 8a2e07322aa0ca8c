"""Cross-validation by physical item, for one or more seeds, and the network of all items: the files of a run.

Besides what :mod:`sdd_train.data.folds` puts there, a run folder holds::

    seed7/fold0/weights.safetensors    the averaged network
    seed7/fold0/predictions.csv        its held-out images
    seed7/fold0/fold.json              architecture, recipe, items, metrics
    seed7/all/                         the network that is shipped: nothing held out, so no predictions
    summary.json, predictions.csv      all seeds and folds together
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from safetensors.torch import load_file, save_file

from ..data.dataset import Pixels
from ..data.folds import check_alike, folder_name, items, split
from ..quality import evaluation
from ..quality.predictions import predictions_of, read_csv, write_csv
from . import training
from .network import Architecture, DefectNet
from .training import Recipe

log = logging.getLogger(__name__)


def fold_folder(run: Path, seed: int, fold: int | None) -> Path:
    return run / f"seed{seed}" / folder_name(fold)


def train_fold(pixels: Pixels, fold: int | None, architecture: Architecture, recipe: Recipe, run: Path) -> None:
    """Trains one fold, or the network of all items, and writes its folder."""
    samples = list(pixels.samples)
    part = split(samples, fold)
    name = f"seed {recipe.seed}, {folder_name(fold)}"
    log.info("%s: %d images to train on", name, len(part.train))
    network = training.train(pixels.subset(part.train), architecture, recipe)

    folder = fold_folder(run, recipe.seed, fold)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    metrics = None
    if part.held_out:
        held_out = pixels.subset(part.held_out)
        logit = training.predict(network, held_out.images)
        predictions = predictions_of(held_out.samples, fold, recipe.seed, logit)
        metrics = evaluation.ranking_metrics(predictions)
        log.info("%s: %s", name, metrics)
        write_csv(folder / "predictions.csv", predictions)
    facts = {
        "fold": fold,
        "metrics": metrics,
        "architecture": architecture.as_dict(),
        "recipe": recipe.as_dict(),
        "training_images": len(part.train),
        "training_items": items(samples, part.train),
        "held_out_items": items(samples, part.held_out),
    }
    (folder / "fold.json").write_text(json.dumps(facts, indent=1) + "\n")


def load_network(run: Path, seed: int, fold: int | None) -> DefectNet:
    """The network of a fold, or of all items, in evaluation mode."""
    folder = fold_folder(run, seed, fold)
    facts = json.loads((folder / "fold.json").read_text())
    network = DefectNet(Architecture(**facts["architecture"]), pretrained=False)
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()


def summarize(run: Path) -> dict[str, object]:
    """Joins the seeds and folds that are done, writes ``summary.json`` and ``predictions.csv``.

    Raises ``ValueError`` if they were not trained alike, ``FileNotFoundError`` if there are none.
    """
    check_alike(run)
    predictions = [
        prediction
        for path in sorted(run.glob("seed*/fold*/predictions.csv"))
        for prediction in read_csv(path)
    ]
    if not predictions:
        raise FileNotFoundError(f"{run}: expected seed*/fold*/predictions.csv, found none; train a fold first")
    write_csv(run / "predictions.csv", predictions)
    result = evaluation.summary(predictions)
    (run / "summary.json").write_text(json.dumps(result, indent=1) + "\n")
    return result
