"""How far probabilities are from the share of defects: calibration error, Brier score, log loss.

The expected calibration error sorts predictions into ten bins and adds up, weighted by the bins'
sizes, ``|mean probability - share of defects|``. Bins are of equal width (0 to 0.1, ...) or of
equal mass (as many predictions each). Intervals are percentiles of a bootstrap that draws physical
items with all their images and seeds, since images of one item are alike; calibrations are not
fitted anew, so an interval covers the choice of items and not the fit. A resampled calibration
error tends to be larger than the error itself, as noise adds up in absolute values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10
RESAMPLES = 2000
BOOTSTRAP_SEED = 1
INTERVAL = (2.5, 97.5)
"""Percentiles of a 95 % interval."""
SMALLEST_PROBABILITY = 1e-12
"""The log loss takes probabilities for no closer to 0 and 1 than this."""


def equal_width_bins(probability: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin ``[M]`` of each probability; 1 belongs to the last one."""
    return np.minimum((probability * bins).astype(int), bins - 1)


def equal_mass_bins(probability: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin ``[M]`` of each probability; sizes differ by one at most."""
    bin_of = np.empty(len(probability), dtype=int)
    for number, members in enumerate(np.array_split(np.argsort(probability, kind="stable"), bins)):
        bin_of[members] = number
    return bin_of


def expected_calibration_error(
    probability: np.ndarray, is_defect: np.ndarray, bin_of: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """The error of probabilities ``[M]`` in bins ``[M]``, one for each row of weights ``[B, M]``.

    ``size / M * |mean probability - share|`` of a bin is the absolute sum of its ``probability - label``, over M.
    """
    weights = np.ones((1, len(probability))) if weights is None else weights
    excess = np.where(bin_of[:, None] == np.arange(bin_of.max() + 1), (probability - is_defect)[:, None], 0.0)
    return np.abs(weights @ excess).sum(axis=1) / weights.sum(axis=1)


def errors(probability: np.ndarray, is_defect: np.ndarray, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All four errors of probabilities ``[M]``, each ``[B]``: one for each row of weights ``[B, M]``."""
    weights = np.ones((1, len(probability))) if weights is None else weights
    total = weights.sum(axis=1)
    safe = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    surprise = -np.log(np.where(is_defect, safe, 1 - safe))
    return {
        "ece": expected_calibration_error(probability, is_defect, equal_width_bins(probability), weights),
        "ece_equal_mass": expected_calibration_error(probability, is_defect, equal_mass_bins(probability), weights),
        "brier": weights @ (probability - is_defect) ** 2 / total,
        "log_loss": weights @ surprise / total,
    }


def item_weights(item: np.ndarray) -> np.ndarray:
    """How often each prediction ``[M]`` is drawn in each bootstrap sample of whole items, ``[B, M]``."""
    names, index = np.unique(item, return_inverse=True)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)[:, index].astype(float)


def with_interval(value: float, resampled: np.ndarray) -> dict[str, float]:
    """A number and the 95 % interval of its resampled values ``[B]``."""
    low, high = np.percentile(resampled, INTERVAL)
    return {"value": float(value), "low": float(low), "high": float(high)}


def measured(probability: np.ndarray, is_defect: np.ndarray, item: np.ndarray) -> dict[str, dict[str, float]]:
    """Each error of probabilities ``[M]`` with its interval."""
    resampled = errors(probability, is_defect, item_weights(item))
    return {name: with_interval(v[0], resampled[name]) for name, v in errors(probability, is_defect).items()}


def compared(
    probability: np.ndarray, baseline: np.ndarray, is_defect: np.ndarray, item: np.ndarray
) -> dict[str, dict[str, float]]:
    """Each error of probabilities ``[M]`` less that of a baseline ``[M]``, on the same bootstrap samples."""
    weights = item_weights(item)
    ours, theirs = errors(probability, is_defect, weights), errors(baseline, is_defect, weights)
    value, other = errors(probability, is_defect), errors(baseline, is_defect)
    return {name: with_interval(value[name][0] - other[name][0], ours[name] - theirs[name]) for name in ours}


@dataclass(frozen=True)
class Reliability:
    """The bins of a reliability diagram that hold predictions: ``probability``, ``share``, ``count`` ``[K]``."""

    probability: np.ndarray
    share: np.ndarray
    count: np.ndarray


def reliability(probability: np.ndarray, is_defect: np.ndarray, bin_of: np.ndarray) -> Reliability:
    """Mean probability and share of defects in each bin that is not empty."""
    used, index, count = np.unique(bin_of, return_inverse=True, return_counts=True)
    sums = [np.bincount(index, values, len(used)) for values in (probability, is_defect.astype(float))]
    return Reliability(sums[0] / count, sums[1] / count, count)
