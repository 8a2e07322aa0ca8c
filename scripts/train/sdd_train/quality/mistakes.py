"""The images that a run's networks get wrong, worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .predictions import Prediction
from .probability_calibration import Platt


@dataclass(frozen=True)
class Mistake:
    """An image that the networks of ``wrong`` seeds get wrong; calibrated ``probabilities``, one for each seed."""

    image: str
    item: str
    fold: int
    is_defect: bool
    probabilities: tuple[float, ...]
    wrong: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.probabilities))

    @property
    def seen(self) -> str:
        """Mean, lowest and highest probability as text."""
        if len(self.probabilities) == 1:
            return f"{self.mean:.3f}"
        low, high = min(self.probabilities), max(self.probabilities)
        return f"{self.mean:.3f} ({low:.3f} to {high:.3f})"


def find(predictions: Sequence[Prediction], platt: Platt, threshold: float) -> tuple[list[Mistake], list[Mistake]]:
    """Missed defects, the surest miss first, and false alarms, the surest alarm first."""
    by_image: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        by_image[prediction.image].append(prediction)
    mistakes = []
    for image, seen in sorted(by_image.items()):
        first = seen[0]
        probability = platt.probability(np.array([p.logit for p in seen]))
        wrong = int(((probability >= threshold) != first.is_defect).sum())
        if wrong:
            mistakes.append(
                Mistake(image, first.item, first.fold, first.is_defect, tuple(probability.tolist()), wrong)
            )
    missed = sorted((m for m in mistakes if m.is_defect), key=lambda m: m.mean)
    alarms = sorted((m for m in mistakes if not m.is_defect), key=lambda m: -m.mean)
    return missed, alarms
