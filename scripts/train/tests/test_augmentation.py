"""Augmentations move an outline with its image; a transplanted defect keeps its outline."""

import numpy as np
import pytest

from sdd_train.learning.augmentation import augment, move, random_affine
from sdd_train.learning.transplant import Donor, transplant


def surface(height: int = 96, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """A bright image with a dark bar, and the bar's outline."""
    image = np.full((height, width), 200, dtype=np.uint8)
    image[40:52, 16:32] = 10
    return image, (image == 10).astype(np.uint8)


def test_outline_follows_the_image():
    image, outline = surface()
    rng = np.random.default_rng(0)
    for _ in range(20):
        changed, mask = augment(image, outline, 2.0, rng)
        assert changed.dtype == mask.dtype == np.uint8
        assert changed.shape == mask.shape == image.shape
        dark = changed < 110
        both = np.logical_and(dark, mask).sum() / np.logical_or(dark, mask).sum()
        assert both > 0.85, "outline and defect differ by more than the blurred border"


def test_the_part_turns_and_not_its_squeezed_picture():
    """A turn keeps lengths on the part: undo the squeeze, and the matrix is a rotation times a zoom."""
    rng = np.random.default_rng(1)
    height, width, aspect = 640, 160, 2.5
    pixel = np.diag([1.0, aspect * width / height])
    for _ in range(20):
        on_part = pixel @ random_affine(height, width, aspect, rng)[:, :2] @ np.linalg.inv(pixel)
        scales = np.linalg.svd(on_part)[1]
        assert 0.9 < scales.min() <= scales.max() < 1.1


def test_the_identity_moves_nothing():
    image, _ = surface()
    assert np.array_equal(move(image, np.eye(2, 3)), image)


def test_a_transplanted_defect_is_dark_inside_its_outline_only():
    image, outline = surface()
    donor = Donor.prepare(image, outline)
    sound = np.full_like(image, 120)
    rng = np.random.default_rng(2)
    rows = set()
    for _ in range(20):
        grown, mask = transplant(sound, donor, rng)
        assert mask.sum() == pytest.approx(outline.sum(), rel=0.4), "a defect may grow at the border only"
        assert grown[mask == 1].mean() < 60
        assert abs(grown[mask == 0].mean() - 120) < 12
        rows.add(int(np.flatnonzero(mask.any(axis=1))[0]))
    assert len(rows) > 5, "the defect moves up and down"


def test_a_speck_is_no_donor():
    image, outline = surface()
    outline[:] = 0
    outline[40, 16:20] = 1
    assert Donor.prepare(image, outline) is None
