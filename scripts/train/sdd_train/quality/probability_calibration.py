"""Calibration of probabilities: from a network's logit to a probability that matches the share of defects.

Not the calibration of the drift score, which is about embeddings.

Platt scaling, ``sigmoid(scale * logit + offset)``, is fitted on out-of-fold logits with the
smoothed targets of Platt (1999): a defect counts as ``(N+ + 1) / (N+ + 2)``, a sound part as
``1 / (N- + 2)``. With them the best fit is finite even where one threshold separates all defects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

SMALLEST_SCALE = 1e-3
"""The scale stays positive, so that calibration never turns the order of two images round."""


@dataclass(frozen=True)
class Platt:
    """``probability = sigmoid(scale * logit + offset)``."""

    scale: float
    offset: float

    def probability(self, logits: np.ndarray) -> np.ndarray:
        """Logits ``[M]`` -> calibrated probabilities of a defect ``[M]``."""
        return expit(self.scale * np.asarray(logits, dtype=np.float64) + self.offset)

    def logits(self, probability: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`probability`."""
        return (logit(probability) - self.offset) / self.scale


IDENTITY = Platt(1.0, 0.0)
"""No calibration: the network's own probability."""

Fit = Callable[[np.ndarray, np.ndarray], Platt]


def smoothed_targets(is_defect: np.ndarray) -> np.ndarray:
    """Platt's targets ``[M]``, a little inside of 0 and 1."""
    defects = int(is_defect.sum())
    sound = len(is_defect) - defects
    return np.where(is_defect, (defects + 1) / (defects + 2), 1 / (sound + 2))


def _minimize(logits: np.ndarray, is_defect: np.ndarray, offset_bounds: tuple[float | None, float | None]) -> Platt:
    logits, is_defect = np.asarray(logits, dtype=np.float64), np.asarray(is_defect, dtype=bool)
    if logits.shape != is_defect.shape or logits.ndim != 1:
        raise ValueError(f"expected a logit and a label for each image, found {logits.shape} and {is_defect.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("expected finite logits, found NaN or infinity")
    if is_defect.all() or not is_defect.any():
        raise ValueError(f"expected defects and sound parts, found {int(is_defect.sum())} defects of {len(is_defect)}")
    targets = smoothed_targets(is_defect)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * logits + parameters[1]
        error = expit(z) - targets
        return float(np.mean(np.logaddexp(0.0, z) - targets * z)), np.array([np.mean(error * logits), np.mean(error)])

    found = minimize(
        loss,
        x0=[1.0, 0.0],
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_SCALE, None), offset_bounds],
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000},
    )
    return Platt(float(found.x[0]), float(found.x[1]))


def fit(logits: np.ndarray, is_defect: np.ndarray) -> Platt:
    """Platt scaling of logits ``[M]`` with labels ``[M]``.

    Raises ``ValueError`` for arrays of different length, logits that are not finite, and a single class.
    """
    return _minimize(logits, is_defect, (None, None))


def fit_temperature(logits: np.ndarray, is_defect: np.ndarray) -> Platt:
    """Temperature scaling, ``sigmoid(logit / T)``, on the same targets; raises as :func:`fit`."""
    return _minimize(logits, is_defect, (0.0, 0.0))


def cross_fitted(logits: np.ndarray, is_defect: np.ndarray, fold: np.ndarray, method: Fit = fit) -> np.ndarray:
    """Calibrated probabilities ``[M]``, those of each fold by a calibration fitted on all other folds.

    Raises ``ValueError`` if there is only one fold.
    """
    if len(np.unique(fold)) < 2:
        raise ValueError("expected predictions of two folds or more, found one")
    probability = np.empty(len(logits))
    for held_out in np.unique(fold):
        inside = fold == held_out
        probability[inside] = method(logits[~inside], is_defect[~inside]).probability(logits[inside])
    return probability
