"""The shipped model: fold 0's network with the threshold of all folds.

Fold 0 is shipped by rule, stated before any result was seen: its held-out items
stay unseen by the shipped weights and calibrate the drift threshold.
"""

from __future__ import annotations

from pathlib import Path

from . import cross_validation, dataset, export, metadata
from .network import EMBEDDING_DIMENSION
from .training import PREPROCESSING

SHIPPED_FOLD = 0
NAME, VERSION = "sdd-efficientnet-lite0", "0.1.0"
DESCRIPTION = (
    "Surface-defect classifier for KolektorSDD-like parts: EfficientNet-Lite0 with an outline "
    "head, gray input of 208 x 512; the embedding is the 1280-d average pool."
)


def write(data: Path, run: Path, out: Path) -> dict[str, object]:
    """Exports the shipped fold of a run; the threshold comes from the folds done so far."""
    summary = cross_validation.summarise(run)
    samples = cross_validation.read_samples(data, run)
    part = cross_validation.split(samples, SHIPPED_FOLD)
    synthetic = sum(samples[i].is_synthetic for i in part.train)
    content = metadata.document(
        name=NAME,
        version=VERSION,
        description=DESCRIPTION,
        license=cross_validation.DATA_LICENSE,
        labels=list(dataset.LABELS),
        preprocessing=PREPROCESSING,
        decision=metadata.binary_decision("defect", summary["decision"]["threshold"]),
        embedding_dimension=EMBEDDING_DIMENSION,
        trained_on=cross_validation.provenance(
            len(part.train) - synthetic,
            synthetic,
            cross_validation.items(samples, part.train),
            cross_validation.items(samples, part.held_out),
        ),
    )
    network = cross_validation.load_network(run, SHIPPED_FOLD)
    network.fold_batch_norm()
    return export.save(export.Served(network), content, out)
