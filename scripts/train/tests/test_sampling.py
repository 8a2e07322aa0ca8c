"""Batches: half defects, every image in turn, transplants from the training images only."""

from pathlib import Path

import numpy as np
import pytest

from sdd_train.data.dataset import SYNTHETIC_ITEM, Pixels, Sample
from sdd_train.learning.sampling import Mixture, Sampler

SHAPE = (64, 32)


def pixels(defects: int = 3, sound: int = 5, drawn: int = 2) -> Pixels:
    """Flat images, each of a gray level of its own; a defect is a black bar with its outline."""
    samples, images, outlines = [], [], []
    for label, item, count in (
        ("defect", "00", defects), ("non_defect", "01", sound),
        ("defect", SYNTHETIC_ITEM, drawn), ("non_defect", SYNTHETIC_ITEM, drawn),
    ):
        for number in range(count):
            image = np.full(SHAPE, 120 + 5 * len(samples), dtype=np.uint8)
            outline = np.zeros(SHAPE, dtype=np.uint8)
            if label == "defect":
                outline[28:34, 8:24] = 1
                image[outline == 1] = 0
            samples.append(Sample(Path(f"{label}/{item}-{number}.jpg"), label, item))
            images.append(image)
            outlines.append(outline)
    return Pixels(tuple(samples), np.stack(images), np.stack(outlines))


def sampler(share: float = 0.0, transplants: float = 0.0, seed: int = 1, **counts: int) -> Sampler:
    return Sampler(pixels(**counts), Mixture(8, share, transplants), np.random.default_rng(seed))


def test_half_of_a_batch_is_defects_with_an_outline():
    batch = sampler(share=0.3, transplants=0.5).batch()
    assert batch.images.shape == batch.outlines.shape == (8, *SHAPE)
    assert batch.images.dtype == batch.outlines.dtype == np.uint8
    assert batch.labels.tolist() == [1.0] * 4 + [0.0] * 4
    assert batch.outlines[:4].any(axis=(1, 2)).all() and not batch.outlines[4:].any()


def test_every_image_comes_once_before_one_comes_again():
    picked = sampler(sound=5)
    turns = [picked._pick(False) for _ in range(10)]
    assert sorted(turns[:5]) == sorted(turns[5:]) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(("share", "synthetic"), [(0.0, False), (1.0, True)])
def test_the_share_of_drawn_images(share, synthetic):
    drawing = sampler(share=share)
    for defect in (True, False):
        for _ in range(10):
            assert drawing.pixels.samples[drawing._pick(defect)].is_synthetic == synthetic


def test_transplants_come_from_real_defects_of_the_training_images():
    drawing = sampler(transplants=1.0, defects=3, drawn=2)
    assert len(drawing.donors) == 3
    for _ in range(10):
        image, outline = drawing._example(True)
        assert outline.any() and image[outline == 0].mean() - image[outline == 1].mean() > 50


def test_the_same_seed_gives_the_same_batches():
    first, second = (list(sampler(share=0.2, transplants=0.3, seed=4).batches(3)) for _ in range(2))
    assert len(first) == 3
    for a, b in zip(first, second):
        assert np.array_equal(a.images, b.images) and np.array_equal(a.outlines, b.outlines)
    assert not np.array_equal(first[0].images, first[1].images)
