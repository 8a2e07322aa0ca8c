"""The decision threshold and what it does, on predictions small enough to check by hand."""

import numpy as np
import pytest
from scipy.special import expit

from sdd_train.quality import decision
from sdd_train.quality.predictions import Columns, Prediction
from sdd_train.quality.probability_calibration import IDENTITY, Platt

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.2])
IS_DEFECT = np.array([True, True, False, True, False])


def columns(folds: dict[int, list[tuple[float, bool]]], seed: int = 1) -> Columns:
    """Predictions of each fold from logits and labels."""
    return Columns.of(
        [
            Prediction(f"{fold}-{i}.jpg", f"{fold}", "defect" if defect else "non_defect", fold, seed, logit)
            for fold, rows in folds.items()
            for i, (logit, defect) in enumerate(rows)
        ]
    )


@pytest.mark.parametrize(
    ("recall", "threshold", "alarms"), [(1.0, 0.4, 1), (0.95, 0.4, 1), (0.66, 0.75, 0), (0.33, 0.75, 0)]
)
def test_threshold_finds_enough_with_fewest_false_alarms(recall, threshold, alarms):
    """Between 0.7 and 0.8 the second defect costs nothing; the third, at 0.6, costs the alarm at 0.7."""
    assert decision.threshold_for_recall(SCORES, IS_DEFECT, recall) == pytest.approx(threshold)
    found = decision.counts(SCORES >= threshold, IS_DEFECT)
    assert found["recall"] >= recall and found["false_alarms"] == alarms


def test_a_recall_that_is_a_whole_number_of_defects_asks_for_no_more():
    scores = np.append(np.linspace(0.99, 0.51, 40), [0.515, 0.1])
    is_defect = np.arange(42) < 40
    lowest = decision.threshold_for_recall(scores, is_defect, 0.95)
    assert (scores[is_defect] >= lowest).sum() == 39, "38 are asked for, and the next one is free"


def test_without_a_sound_part_below_every_defect_is_found():
    assert decision.threshold_for_recall(np.array([0.9, 0.5, 0.7]), np.array([True, True, False]), 1.0) == 0.5
    assert decision.threshold_for_recall(np.array([0.5, 0.6]), np.array([True, False]), 1.0) == 0.5


@pytest.mark.parametrize("recall", [0.0, 1.1])
def test_an_impossible_recall_is_refused(recall):
    with pytest.raises(ValueError, match="recall"):
        decision.threshold_for_recall(SCORES, IS_DEFECT, recall)


def test_no_defects_no_threshold():
    with pytest.raises(ValueError, match="defects"):
        decision.threshold_for_recall(SCORES, np.zeros(5, dtype=bool), 0.95)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.070339, 0.07033), (0.5, 0.5), (0.999999, 0.9999), (3.45678e-5, 3.456e-5)]
)
def test_thresholds_are_rounded_down(value, expected):
    assert decision.rounded_down(value) == expected


def test_counts_at_a_threshold():
    found = decision.counts(SCORES >= 0.6, IS_DEFECT)
    assert found == {"precision": 0.75, "recall": 1.0, "found": 3, "missed": 0, "false_alarms": 1, "sound": 2}


def test_no_alarm_has_no_precision():
    assert decision.counts(SCORES >= 1.0, IS_DEFECT)["precision"] is None


def test_calibrated_and_uncalibrated_threshold_decide_alike():
    data = columns({0: [(3.0, True), (-1.0, True), (-2.0, False), (0.5, False), (-4.0, False)]})
    found = decision.summary(data, Platt(0.5, -1.0), recall=1.0)
    assert found["threshold"] == decision.rounded_down(expit(-1.75)), "halfway between logits -1 and -2"
    flagged = expit(data.logit) >= found["uncalibrated_threshold"]
    assert decision.counts(flagged, data.is_defect)["false_alarms"] == found["false_alarms"] == 1
    assert found["nested"] is None


def test_nested_threshold_comes_from_the_other_folds():
    """Fold 0's weakest defect (-3) lies below all others, so the other folds' threshold misses it."""
    easy = [(4.0, True), (3.0, True), (-5.0, False), (-6.0, False)]
    hard = [(4.0, True), (-3.0, True), (3.5, False), (-6.0, False)]
    data = columns({0: hard, 1: easy, 2: easy})
    found = decision.summary(data, IDENTITY, recall=1.0)
    assert found["recall"] == 1.0
    nested = found["nested"]
    assert (nested["folds"]["0"]["found"], nested["folds"]["0"]["missed"]) == (1, 1)
    assert nested["folds"]["0"]["false_alarms"] == 1
    assert nested["folds"]["1"]["missed"] == 0
    # The folds 1 and 2 are judged by thresholds that fold 0's weak defect pulled down.
    assert nested["folds"]["1"]["threshold"] < nested["folds"]["0"]["threshold"]
    assert nested["recall"] == pytest.approx(5 / 6)


def test_seeds_are_counted_apart():
    rows = [(2.0, True), (-2.0, False)]
    both = [columns({0: rows, 1: rows}, seed=1), columns({0: [(2.0, True), (3.0, False)], 1: rows}, seed=2)]
    joined = Columns(*(np.concatenate(pair) for pair in zip(*(vars(c).values() for c in both))))
    found = decision.summary(joined, IDENTITY, recall=1.0)["seeds"]
    assert (found["1"]["false_alarms"], found["2"]["false_alarms"]) == (0, 1)
