"""Calibration errors against values computed by hand."""

import numpy as np
import pytest

from sdd_train.quality import calibration_error

PROBABILITY = np.array([0.05, 0.05, 0.15, 0.15, 0.95, 1.0])
IS_DEFECT = np.array([False, True, False, False, True, True])
ITEM = np.array(["a", "a", "b", "b", "c", "c"])


def test_equal_width_error_by_hand():
    """Bins 0, 1 and 9: |0.05 - 0.5| * 2/6 + |0.15 - 0| * 2/6 + |0.975 - 1| * 2/6."""
    bins = calibration_error.equal_width_bins(PROBABILITY)
    assert bins.tolist() == [0, 0, 1, 1, 9, 9]
    found = calibration_error.expected_calibration_error(PROBABILITY, IS_DEFECT, bins)
    assert found == pytest.approx([(0.45 + 0.15 + 0.025) / 3])


def test_equal_mass_error_by_hand():
    """Halves, the two 0.15 in one each: |0.25 - 1| / 6 + |2.1 - 2| / 6."""
    bins = calibration_error.equal_mass_bins(PROBABILITY, bins=2)
    assert bins.tolist() == [0, 0, 0, 1, 1, 1]
    found = calibration_error.expected_calibration_error(PROBABILITY, IS_DEFECT, bins)
    assert found == pytest.approx([(0.75 + 0.1) / 6])


def test_equal_mass_bins_go_by_rank_and_differ_by_one_at_most():
    bins = calibration_error.equal_mass_bins(np.array([0.9, 0.1, 0.5, 0.3, 0.7]), bins=2)
    assert bins.tolist() == [1, 0, 0, 0, 1]


def test_brier_and_log_loss_by_hand():
    found = calibration_error.errors(np.array([0.8, 0.4]), np.array([True, False]))
    assert found["brier"] == pytest.approx([(0.04 + 0.16) / 2])
    assert found["log_loss"] == pytest.approx([-(np.log(0.8) + np.log(0.6)) / 2])


def test_certainty_that_is_wrong_stays_finite():
    assert np.isfinite(calibration_error.errors(np.array([0.0, 1.0]), np.array([True, False]))["log_loss"]).all()


def test_weights_count_like_repeated_rows():
    weights = np.array([[1.0, 0.0, 2.0, 1.0, 0.0, 3.0]])
    rows = np.repeat(np.arange(6), weights[0].astype(int))
    bins = calibration_error.equal_width_bins(PROBABILITY)
    weighted = calibration_error.expected_calibration_error(PROBABILITY, IS_DEFECT, bins, weights)
    repeated = calibration_error.expected_calibration_error(PROBABILITY[rows], IS_DEFECT[rows], bins[rows])
    assert weighted == pytest.approx(repeated)


def test_bootstrap_draws_whole_items():
    weights = calibration_error.item_weights(ITEM)
    assert (weights[:, ::2] == weights[:, 1::2]).all()
    assert (weights.sum(axis=1) == len(ITEM)).all()
    assert weights.min() == 0 and weights.max() == 3


def test_interval_encloses_the_brier_score_and_a_comparison_with_oneself_is_zero():
    found = calibration_error.measured(PROBABILITY, IS_DEFECT, ITEM)["brier"]
    assert found["low"] < found["value"] < found["high"]
    same = calibration_error.compared(PROBABILITY, PROBABILITY, IS_DEFECT, ITEM)
    assert all(value == 0 for error in same.values() for value in error.values())
    worse = calibration_error.compared(1 - PROBABILITY, PROBABILITY, IS_DEFECT, ITEM)
    assert worse["brier"]["value"] > 0


def test_reliability_leaves_empty_bins_out():
    bins = calibration_error.equal_width_bins(PROBABILITY)
    found = calibration_error.reliability(PROBABILITY, IS_DEFECT, bins)
    assert found.probability == pytest.approx([0.05, 0.15, 0.975])
    assert found.share == pytest.approx([0.5, 0.0, 1.0])
    assert found.count.tolist() == [2, 2, 2]
