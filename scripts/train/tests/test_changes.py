"""Changes to images: deterministic, of the right size, and stronger with every severity."""

import numpy as np
import pytest
from PIL import Image

from sdd_train.data import synthetic
from sdd_train.drift.changes import CHANGES, Change

FIVE = [change for change in CHANGES if len(change.levels) > 1]
BY_NAME = {change.name: change for change in CHANGES}


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return Image.fromarray(synthetic.draw_surface(31, defect=True).pixels[:400])


def difference(image: Image.Image, change: Change, level: float) -> float:
    """Root mean square of what a change does to the pixels."""
    before, after = (np.asarray(i).astype(float) for i in (image, change.of(image, level, index=3)))
    return float(np.sqrt(np.mean((before - after) ** 2)))


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.name)
def test_same_seed_same_pixels(image, change):
    level = change.levels[-1]
    first, second = (np.asarray(change.of(image, level, index=5)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ["Gaussian noise", "occlusion"])
def test_another_image_gets_other_noise_and_another_place(image, name):
    change = BY_NAME[name]
    first, second = (np.asarray(change.of(image, change.levels[2], index)) for index in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("change", FIVE, ids=lambda c: c.name)
def test_severities_grow_and_keep_size_and_mode(image, change):
    assert len(change.levels) == 5
    found = [difference(image, change, level) for level in change.levels]
    assert found[0] > 0.3
    assert all(later > earlier * 1.02 for earlier, later in zip(found, found[1:])), found
    for mode in ("L", "RGB"):
        after = change.of(image.convert(mode), change.levels[0], index=0)
        assert (after.size, after.mode) == (image.size, mode)


def test_a_quarter_turn_lays_the_strip_down(image):
    turned = BY_NAME["quarter turn"].of(image, 90, index=0)
    assert turned.size == image.size[::-1]
    assert np.array_equal(np.asarray(turned), np.rot90(np.asarray(image)))


def test_a_rotation_shows_no_black_corners():
    flat = Image.new("L", (50, 125), 180)
    turned = BY_NAME["small rotation"].of(flat, 15, index=0)
    assert turned.getextrema() == (180, 180)


def test_an_occlusion_covers_the_share_it_says():
    white = Image.new("L", (500, 1250), 255)
    for share in BY_NAME["occlusion"].levels:
        covered = np.asarray(BY_NAME["occlusion"].of(white, share, index=2)) == 0
        assert covered.mean() == pytest.approx(share, rel=0.02)


def test_brightness_and_contrast_do_what_they_say():
    values = Image.fromarray(np.array([[100, 200]], dtype=np.uint8))
    assert np.asarray(BY_NAME["brightness down"].of(values, 0.5, index=0)).tolist() == [[50, 100]]
    assert np.asarray(BY_NAME["brightness up"].of(values, 1.5, index=0)).tolist() == [[150, 255]]
    assert np.asarray(BY_NAME["contrast down"].of(values, 0.5, index=0)).tolist() == [[125, 175]]
