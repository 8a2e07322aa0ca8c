"""Made-up out-of-fold predictions for the tests: five folds, two seeds, a few planted mistakes."""

import numpy as np

from sdd_train.quality.predictions import Prediction

WORST_MISS = "defect/planted_miss.jpg"
WORST_ALARM = "non_defect/planted_alarm.jpg"


def predictions(seeds: tuple[int, ...] = (7, 8)) -> list[Prediction]:
    """Eight defects and forty sound parts a fold; defects have higher logits, fold 2 holds the planted mistakes."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for fold in range(5):
            for number in range(48):
                label = "defect" if number < 8 else "non_defect"
                logit = float(rng.normal(4.0 if number < 8 else -4.0, 2.0))
                image = f"{label}/{fold}_{number}.jpg"
                rows.append(Prediction(image, f"{fold}{number % 6}", label, fold, seed, logit))
        rows.append(Prediction(WORST_MISS, "20", "defect", 2, seed, -15.0))
        rows.append(Prediction(WORST_ALARM, "21", "non_defect", 2, seed, 15.0))
    return rows
