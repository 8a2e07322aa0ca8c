"""Platt and temperature scaling: known parameters come back, and extremes stay finite."""

import numpy as np
import pytest
from scipy.special import expit

from sdd_train.quality import probability_calibration
from sdd_train.quality.probability_calibration import Platt


def drawn(scale: float, offset: float, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels whose share of defects is ``sigmoid(scale * logit + offset)``."""
    rng = np.random.default_rng(4)
    logits = rng.normal(-2, 4, count)
    return logits, rng.random(count) < expit(scale * logits + offset)


@pytest.mark.parametrize(("scale", "offset"), [(0.5, -1.2), (1.0, 0.0), (2.0, 0.7)])
def test_known_scale_and_offset_are_recovered(scale, offset):
    found = probability_calibration.fit(*drawn(scale, offset))
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.offset == pytest.approx(offset, abs=0.08)


def test_known_temperature_is_recovered():
    found = probability_calibration.fit_temperature(*drawn(0.4, 0.0))
    assert found.scale == pytest.approx(0.4, rel=0.05)
    assert found.offset == 0.0


@pytest.mark.parametrize("fit", [probability_calibration.fit, probability_calibration.fit_temperature])
def test_perfect_separation_stays_finite_and_inside_of_zero_and_one(fit):
    logits = np.array([-30.0, -20.0, -9.0, 8.0, 25.0])
    found = fit(logits, np.array([False, False, False, True, True]))
    probability = found.probability(logits)
    assert np.isfinite([found.scale, found.offset]).all()
    assert (probability > 1e-6).all() and (probability < 1 - 1e-6).all()
    assert (np.diff(probability) > 0).all()


def test_separable_defects_get_the_smoothed_share():
    logits = np.array([-4.0] * 8 + [4.0] * 3)
    found = probability_calibration.fit(logits, logits > 0)
    assert found.probability(np.array([-4.0, 4.0])) == pytest.approx([1 / 10, 4 / 5], abs=1e-6)


def test_order_is_kept_even_where_logits_mislead():
    logits = np.array([3.0, 2.0, -2.0, -3.0])
    found = probability_calibration.fit(logits, np.array([False, False, True, True]))
    assert found.scale > 0


def test_logits_invert_the_probability():
    platt = Platt(0.5, -1.25)
    values = np.array([-7.0, 0.0, 3.0])
    assert platt.logits(platt.probability(values)) == pytest.approx(values)


def test_each_fold_is_calibrated_on_the_others():
    """The second fold's labels are the wrong way round; the first one must not notice its own labels."""
    logits, is_defect = drawn(1.0, 0.0, 400)
    fold = np.repeat([0, 1], 200)
    turned = np.where(fold == 0, ~is_defect, is_defect)
    expected = probability_calibration.fit(logits[200:], is_defect[200:]).probability(logits[:200])
    for labels in (is_defect, turned):
        found = probability_calibration.cross_fitted(logits, labels, fold)
        assert found[:200] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([1.0, 2.0], [True, True], "sound parts"),
        ([1.0, 2.0], [False, False], "0 defects of 2"),
        ([1.0, np.nan], [True, False], "finite"),
        ([1.0, 2.0, 3.0], [True, False], "for each image"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        probability_calibration.fit(np.array(logits), np.array(labels))


def test_one_fold_cannot_be_cross_fitted():
    with pytest.raises(ValueError, match="two folds"):
        probability_calibration.cross_fitted(np.array([1.0, -1.0]), np.array([True, False]), np.zeros(2))
