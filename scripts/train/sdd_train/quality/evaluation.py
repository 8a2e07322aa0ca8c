"""What is measured on out-of-fold predictions.

AUROC and AP are those of the label "defect". They are computed on each fold's held-out items, for
each seed, and given as mean and standard deviation; pooled over folds, scores of different
networks are compared with each other, which is harder. The calibration and the decision threshold
come from all pooled predictions, and what they are worth is measured out of fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from . import calibration_error, decision, probability_calibration
from .predictions import Columns, Prediction
from .probability_calibration import Platt

TARGET_RECALL = 0.95
"""The share of defects that the decision threshold shall find."""


def ranking_metrics(predictions: Sequence[Prediction] | Columns) -> dict[str, float | int]:
    """AUROC and average precision."""
    columns = predictions if isinstance(predictions, Columns) else Columns.of(predictions)
    return {
        "auroc": float(roc_auc_score(columns.is_defect, columns.logit)),
        "ap": float(average_precision_score(columns.is_defect, columns.logit)),
        "images": len(columns.logit),
        "defects": int(columns.is_defect.sum()),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation (n - 1; 0 for a single value)."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def of_seed(columns: Columns) -> dict[str, object]:
    """One seed's metrics: each fold's, their mean and standard deviation, and those of all folds pooled."""
    folds = {str(fold): ranking_metrics(columns.where(columns.fold == fold)) for fold in columns.folds}
    mean = {metric: spread([m[metric] for m in folds.values()]) for metric in ("auroc", "ap")}
    return {"folds": folds, "mean": mean, "pooled": ranking_metrics(columns)}


def over_seeds(seeds: dict[str, dict]) -> dict[str, dict[str, float]]:
    """AUROC and AP over all seeds.

    ``mean`` and ``sd`` are the seeds' averages of their means and standard deviations over the
    folds; ``sd_of_seeds``, ``lowest`` and ``highest`` say how far the seeds' means lie apart.
    """
    result = {}
    for metric in ("auroc", "ap"):
        means = [seed["mean"][metric]["mean"] for seed in seeds.values()]
        result[metric] = {
            "mean": float(np.mean(means)),
            "sd": float(np.mean([seed["mean"][metric]["sd"] for seed in seeds.values()])),
            "sd_of_seeds": spread(means)["sd"],
            "lowest": min(means),
            "highest": max(means),
        }
    return result


def own_seed(columns: Columns) -> np.ndarray | None:
    """Probabilities ``[M]`` calibrated out of fold, on predictions of the same seed only.

    ``None`` with a single seed, or while a seed has a single fold.
    """
    folds_of_seed = [len(columns.where(columns.seed == seed).folds) for seed in columns.seeds]
    if len(folds_of_seed) < 2 or min(folds_of_seed) < 2:
        return None
    probability = np.empty(len(columns.logit))
    for seed in columns.seeds:
        mask = columns.seed == seed
        part = columns.where(mask)
        probability[mask] = probability_calibration.cross_fitted(part.logit, part.is_defect, part.fold)
    return probability


def calibration_out_of_fold(columns: Columns) -> dict[str, object] | None:
    """What calibration is worth on folds it was not fitted on; ``None`` with a single fold."""
    if len(columns.folds) < 2:
        return None
    data = (columns.logit, columns.is_defect, columns.fold)
    platt = probability_calibration.cross_fitted(*data)
    others = {
        "uncalibrated": expit(columns.logit),
        "temperature": probability_calibration.cross_fitted(*data, probability_calibration.fit_temperature),
    }
    if (by_seed := own_seed(columns)) is not None:
        others["platt_own_seed"] = by_seed
    truth = (columns.is_defect, columns.item)
    return {
        "platt": calibration_error.measured(platt, *truth),
        **{name: calibration_error.measured(p, *truth) for name, p in others.items()},
        **{f"platt_minus_{name}": calibration_error.compared(platt, p, *truth) for name, p in others.items()},
    }


def calibration(columns: Columns) -> tuple[Platt, dict[str, object]]:
    """The calibration to ship, and what is to be said about it.

    It is fitted on the predictions of all seeds and folds: the shipped network has seen every item, and
    these are what a network of its recipe says of items that it has not seen.
    """
    platt = probability_calibration.fit(columns.logit, columns.is_defect)
    temperature = probability_calibration.fit_temperature(columns.logit, columns.is_defect)
    return platt, {
        "method": "platt",
        "scale": platt.scale,
        "offset": platt.offset,
        "predictions": len(columns.logit),
        "temperature": 1.0 / temperature.scale,
        "out_of_fold": calibration_out_of_fold(columns),
    }


def summary(predictions: Sequence[Prediction], recall: float = TARGET_RECALL) -> dict[str, object]:
    """Everything that is measured on out-of-fold predictions, ready for JSON."""
    columns = Columns.of(predictions)
    seeds = {str(seed): of_seed(columns.where(columns.seed == seed)) for seed in columns.seeds}
    platt, calibrated = calibration(columns)
    return {
        "seeds": seeds,
        "mean": over_seeds(seeds),
        "pooled": ranking_metrics(columns),
        "calibration": calibrated,
        "decision": decision.summary(columns, platt, recall),
    }
