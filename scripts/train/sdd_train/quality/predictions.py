"""Out-of-fold predictions: a table of logits, kept as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from ..data.dataset import Sample

COLUMNS = ("image", "item", "label", "fold", "seed", "logit", "probability")


@dataclass(frozen=True)
class Prediction:
    """A held-out image's logit of "defect", by the network of a seed that never saw its item."""

    image: str
    item: str
    label: str
    fold: int
    seed: int
    logit: float

    @property
    def probability(self) -> float:
        """The network's own probability of a defect, not calibrated."""
        return float(expit(self.logit))

    @property
    def is_defect(self) -> bool:
        return self.label == "defect"


@dataclass(frozen=True)
class Columns:
    """Predictions as arrays ``[M]``."""

    item: np.ndarray
    is_defect: np.ndarray
    fold: np.ndarray
    seed: np.ndarray
    logit: np.ndarray

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Columns:
        return cls(
            np.array([p.item for p in predictions]),
            np.array([p.is_defect for p in predictions]),
            np.array([p.fold for p in predictions]),
            np.array([p.seed for p in predictions]),
            np.array([p.logit for p in predictions]),
        )

    def where(self, chosen: np.ndarray) -> Columns:
        """The rows that a mask ``[M]`` chooses."""
        return Columns(*(column[chosen] for column in vars(self).values()))

    @property
    def folds(self) -> list[int]:
        return np.unique(self.fold).tolist()

    @property
    def seeds(self) -> list[int]:
        return np.unique(self.seed).tolist()


def predictions_of(samples: Sequence[Sample], fold: int, seed: int, logit: np.ndarray) -> list[Prediction]:
    """The predictions of a fold's held-out samples from their logits ``[M]``."""
    return [
        Prediction(s.name, s.item, s.label, fold, seed, float(value))
        for s, value in zip(samples, logit, strict=True)
    ]


def write_csv(path: Path, predictions: Iterable[Prediction]) -> None:
    """Writes :data:`COLUMNS`; a logit keeps all its digits. The file has its name only once it is complete."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        for p in predictions:
            writer.writerow([p.image, p.item, p.label, p.fold, p.seed, repr(p.logit), f"{p.probability:.7f}"])
    unfinished.replace(path)


def read_csv(path: Path) -> list[Prediction]:
    """The inverse of :func:`write_csv`; ``ValueError`` for other columns and for a file that was cut off."""
    if not path.read_bytes().endswith(b"\n"):
        raise ValueError(f"{path}: the last line is not complete")
    with path.open(newline="") as lines:
        rows = csv.DictReader(lines)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path}: expected the columns {','.join(COLUMNS)}, found {rows.fieldnames}")
        return [
            Prediction(r["image"], r["item"], r["label"], int(r["fold"]), int(r["seed"]), float(r["logit"]))
            for r in rows
        ]
