"""The properties of a picture against SciPy's filters, and where they must be nothing."""

import numpy as np
import pytest
from scipy import ndimage

from sdd_train.data.properties import properties


def test_they_are_as_scipy_filters_say():
    pixels = np.random.default_rng(0).integers(0, 256, (17, 23)).astype(np.uint8)
    luma, inner = pixels.astype(float), np.s_[1:-1, 1:-1]
    laplacian = ndimage.laplace(luma)[inner]
    gradient = sum(
        ndimage.correlate1d(luma, step, axis)[inner] ** 2 / 2 for axis in (0, 1) for step in ([-1, 1, 0], [0, -1, 1])
    )
    masked = ndimage.correlate1d(ndimage.correlate1d(luma, [1, -2, 1], 0), [1, -2, 1], 1)[inner]
    found = properties(pixels)
    assert found["brightness"] == pytest.approx(np.sum(luma) / luma.size)
    assert found["contrast"] == pytest.approx(np.sqrt(np.mean(luma**2) - np.mean(luma) ** 2))
    assert found["sharpness"] == pytest.approx(np.sqrt(np.sum(laplacian**2) / np.sum(gradient)))
    assert found["noise"] == pytest.approx(np.sqrt(np.pi / 2) * np.mean(np.abs(masked)) / 6)
    assert found["saturated"] == np.isin(pixels, (0, 1, 254, 255)).mean()


def test_noise_is_estimated_and_sharpness_does_not_mind_light():
    rng = np.random.default_rng(1)
    noisy = np.round(128 + 5 * rng.standard_normal((400, 400)))
    found = properties(noisy.astype(np.uint8))
    assert found["noise"] == pytest.approx(5, rel=0.02)
    half = properties((noisy / 2).astype(np.uint8))
    assert half["sharpness"] == pytest.approx(found["sharpness"], rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2), (3, 3), (4, 4, 3)])
def test_what_is_flat_has_only_a_brightness(shape: tuple[int, ...]):
    flat = {"brightness": 100, "contrast": 0, "sharpness": 0, "noise": 0, "saturated": 0}
    assert properties(np.full(shape, 100, np.uint8)) == flat
