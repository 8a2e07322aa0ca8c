"""Out-of-fold predictions and what is measured on them.

AUROC and AP are those of the label "defect". They are computed on each fold's
held-out items and given as mean and standard deviation over the folds; scores
of different folds come from different networks and are pooled for the decision
threshold only.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from .dataset import Sample

COLUMNS = ("image", "item", "label", "fold", "probability")


@dataclass(frozen=True)
class Prediction:
    """A held-out image's probability of a defect, by the network that never saw its item."""

    image: str
    item: str
    label: str
    fold: int
    probability: float

    @property
    def is_defect(self) -> bool:
        return self.label == "defect"


def predictions_of(samples: tuple[Sample, ...], fold: int, probability: np.ndarray) -> list[Prediction]:
    return [
        Prediction(s.name, s.item, s.label, fold, float(p)) for s, p in zip(samples, probability)
    ]


def write_csv(path: Path, predictions: list[Prediction]) -> None:
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        for p in predictions:
            writer.writerow([p.image, p.item, p.label, p.fold, f"{p.probability:.7f}"])


def read_csv(path: Path) -> list[Prediction]:
    with path.open(newline="") as lines:
        return [
            Prediction(r["image"], r["item"], r["label"], int(r["fold"]), float(r["probability"]))
            for r in csv.DictReader(lines)
        ]


def ranking_metrics(predictions: list[Prediction]) -> dict[str, float]:
    """AUROC and average precision."""
    truth = [p.is_defect for p in predictions]
    score = [p.probability for p in predictions]
    return {
        "auroc": float(roc_auc_score(truth, score)),
        "ap": float(average_precision_score(truth, score)),
        "images": len(predictions),
        "defects": sum(truth),
    }


def threshold_for_recall(predictions: list[Prediction], recall: float) -> float:
    """The largest threshold at which at least ``recall`` of the defects are found (score >= threshold)."""
    scores = sorted((p.probability for p in predictions if p.is_defect), reverse=True)
    needed = int(np.ceil(recall * len(scores) - 1e-9))
    return scores[needed - 1]


def at_threshold(predictions: list[Prediction], threshold: float) -> dict[str, float]:
    """Precision, recall and counts when ``probability >= threshold`` means a defect."""
    flagged = [p for p in predictions if p.probability >= threshold]
    found = sum(p.is_defect for p in flagged)
    defects = sum(p.is_defect for p in predictions)
    return {
        "threshold": threshold,
        "precision": found / len(flagged) if flagged else float("nan"),
        "recall": found / defects,
        "found": found,
        "missed": defects - found,
        "false_alarms": len(flagged) - found,
    }


def summary(predictions: list[Prediction], recall: float) -> dict[str, object]:
    """Metrics per fold, their mean and standard deviation (n - 1), and the decision threshold."""
    folds = sorted({p.fold for p in predictions})
    per_fold = {str(f): ranking_metrics([p for p in predictions if p.fold == f]) for f in folds}
    spread = {}
    for metric in ("auroc", "ap"):
        values = np.array([m[metric] for m in per_fold.values()])
        spread[metric] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        }
    threshold = threshold_for_recall(predictions, recall)
    return {
        "folds": per_fold,
        "mean": spread,
        "pooled": ranking_metrics(predictions),
        "decision": at_threshold(predictions, threshold),
    }
