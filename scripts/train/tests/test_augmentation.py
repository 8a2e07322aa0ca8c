"""Augmentations move an outline with its image."""

import numpy as np

from sdd_train.augmentation import augment, shift


def test_outline_follows_the_image():
    image = np.full((64, 32), 200, dtype=np.uint8)
    image[20:24, 8:20] = 10
    outline = (image == 10).astype(np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved, mask = augment(image, outline, rng)
        assert moved.dtype == np.uint8 and moved.shape == image.shape
        assert np.array_equal(moved < 100, mask == 1)


def test_shift_repeats_the_border():
    rows = np.arange(4, dtype=np.uint8)[:, None]
    assert shift(rows, 1, 0)[:, 0].tolist() == [0, 0, 1, 2]
    assert shift(rows, -2, 0)[:, 0].tolist() == [2, 3, 3, 3]
