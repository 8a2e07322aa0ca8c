"""The decision threshold: chosen for a share of defects that shall be found."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context

import numpy as np
from scipy.special import expit

from . import probability_calibration
from .predictions import Columns
from .probability_calibration import Platt

DIGITS = 4
"""Significant digits of a published threshold."""


def threshold_for_recall(score: np.ndarray, is_defect: np.ndarray, recall: float) -> float:
    """The threshold (score >= threshold) that finds at least ``recall`` of the defects with fewest false alarms.

    Where a range of thresholds costs the same false alarms, every defect in it is found: the
    threshold lies halfway between the lowest of them and the next sound part below, as far from
    either as can be. The middle depends on the scale of the score: take logits.

    Raises ``ValueError`` without defects or for a recall outside of (0, 1].
    """
    if not 0.0 < recall <= 1.0:
        raise ValueError(f"recall: expected above 0 and at most 1, found {recall}")
    defects, sound = np.sort(score[is_defect])[::-1], score[~is_defect]
    if len(defects) == 0:
        raise ValueError("expected defects to choose a threshold on, found none")
    # 0.95 * 40 is 38.000000000000004 for some products; the slack keeps such a product from asking for one more.
    needed = defects[int(np.ceil(recall * len(defects) - 1e-9)) - 1]
    below = sound[sound < needed]
    if len(below) == 0:
        return float(defects[-1])
    return float((defects[defects > below.max()].min() + below.max()) / 2)


def rounded_down(threshold: float) -> float:
    """A probability with four significant digits, never above: what was found stays found.

    The last digits of a double are lost anyway in the float32 of a served probability.
    """
    return float(Context(prec=DIGITS, rounding=ROUND_FLOOR).create_decimal_from_float(threshold))


def counts(flagged: np.ndarray, is_defect: np.ndarray) -> dict[str, float | int | None]:
    """Precision, recall and counts of flags ``[M]``; a ratio of nothing to nothing is ``None``."""
    found, defects = int((flagged & is_defect).sum()), int(is_defect.sum())
    alarms = int(flagged.sum())
    return {
        "precision": found / alarms if alarms else None,
        "recall": found / defects if defects else None,
        "found": found,
        "missed": defects - found,
        "false_alarms": alarms - found,
        "sound": len(is_defect) - defects,
    }


def counts_by_seed(flagged: np.ndarray, columns: Columns) -> dict[str, dict]:
    """Precision, recall and counts of flags ``[M]`` for each seed."""
    return {
        str(seed): counts(flagged[columns.seed == seed], columns.is_defect[columns.seed == seed])
        for seed in columns.seeds
    }


def nested_flags(columns: Columns, recall: float) -> tuple[np.ndarray, dict[int, float]]:
    """Flags ``[M]`` of each fold by calibration and threshold of the other folds, and those thresholds."""
    flagged = np.zeros(len(columns.logit), dtype=bool)
    thresholds = {}
    for fold in columns.folds:
        inside = columns.fold == fold
        others = columns.where(~inside)
        platt = probability_calibration.fit(others.logit, others.is_defect)
        chosen = threshold_for_recall(others.logit, others.is_defect, recall)
        thresholds[fold] = rounded_down(float(platt.probability(chosen)))
        flagged[inside] = platt.probability(columns.logit[inside]) >= thresholds[fold]
    return flagged, thresholds


def nested(columns: Columns, recall: float) -> dict[str, object] | None:
    """What the rule for the threshold is worth on folds it did not see; ``None`` with a single fold."""
    if len(columns.folds) < 2:
        return None
    flagged, thresholds = nested_flags(columns, recall)
    folds = {
        str(fold): {
            "threshold": threshold,
            **counts(flagged[columns.fold == fold], columns.is_defect[columns.fold == fold]),
        }
        for fold, threshold in thresholds.items()
    }
    return {
        **counts(flagged, columns.is_defect),
        "folds": folds,
        "seeds": counts_by_seed(flagged, columns),
    }


def summary(columns: Columns, platt: Platt, recall: float) -> dict[str, object]:
    """The threshold on calibrated probabilities, and what it does to all predictions.

    ``uncalibrated_threshold`` decides alike on ``sigmoid(logit)``. Counts are of predictions: an
    image counts once for each seed.
    """
    probability = platt.probability(columns.logit)
    chosen = threshold_for_recall(columns.logit, columns.is_defect, recall)
    threshold = rounded_down(float(platt.probability(chosen)))
    flagged = probability >= threshold
    return {
        "target_recall": recall,
        "threshold": threshold,
        "uncalibrated_threshold": float(expit(platt.logits(threshold))),
        **counts(flagged, columns.is_defect),
        "seeds": counts_by_seed(flagged, columns),
        "nested": nested(columns, recall),
    }
