"""The shipped model: the network of all items with the calibration and threshold of all folds and seeds.

Nothing is held out of it: the drift threshold comes from the reference itself, each item scored among the
others. What it does on items that it never saw cannot be measured; it is measured on the folds' networks, of
the same recipe and each on the items that it never saw.
"""

from __future__ import annotations

from pathlib import Path

from ..data import dataset, folds
from ..onnx_files import export, metadata
from ..quality.probability_calibration import Platt
from . import cross_validation

NAME, VERSION = "sdd-efficientnet-lite0", "0.3.0"


def describe(architecture: dict[str, int], embedding_dimension: int) -> str:
    """A sentence for people."""
    return (
        f"Surface-defect classifier for KolektorSDD-like parts: {architecture['blocks']} blocks of EfficientNet-Lite0 "
        f"with an outline head, gray input of {architecture['width']} x {architecture['height']}, calibrated "
        f"probability; the embedding is the {embedding_dimension}-d average pool."
    )


def lowest_seed(run: Path, fold: int | None) -> int:
    """The lowest seed of which the fold is trained."""
    name = folds.folder_name(fold)
    seeds = [int(p.parent.name.removeprefix("seed")) for p in run.glob(f"seed*/{name}")]
    if not seeds:
        raise FileNotFoundError(f"{run}: expected seed*/{name}, found none; train it first")
    return min(seeds)


def write(data: Path, run: Path, out: Path, fold: int | None = folds.ALL) -> dict[str, object]:
    """Exports a network of a run; calibration and threshold come from the seeds and folds done so far."""
    summary = cross_validation.summarize(run)
    samples = folds.read_samples(data, run)
    part = folds.split(samples, fold)
    synthetic = sum(samples[i].is_synthetic for i in part.train)
    network = cross_validation.load_network(run, lowest_seed(run, fold), fold)
    architecture = network.architecture
    content = metadata.document(
        name=NAME,
        version=VERSION,
        description=describe(architecture.as_dict(), architecture.embedding_dimension),
        license=folds.DATA_LICENSE,
        labels=list(dataset.LABELS),
        preprocessing=architecture.preprocessing,
        decision=metadata.binary_decision("defect", summary["decision"]["threshold"]),
        embedding_dimension=architecture.embedding_dimension,
        trained_on=folds.provenance(
            len(part.train) - synthetic,
            synthetic,
            folds.items(samples, part.train),
            folds.items(samples, part.held_out),
        ),
    )
    network.fold_batch_norm()
    calibration = Platt(summary["calibration"]["scale"], summary["calibration"]["offset"])
    return export.save(export.Served(network, calibration), content, out)
