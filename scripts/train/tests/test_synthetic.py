"""Drawn surfaces: deterministic, and of the size and kind they claim."""

import numpy as np

from sdd_train.data import samples, synthetic


def test_same_seed_same_pixels():
    first, second = (synthetic.draw_surface(11, defect=True) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.outline, second.outline)
    assert not np.array_equal(first.pixels[:1200], synthetic.draw_surface(12, defect=True).pixels[:1200])


def test_images_of_an_item_are_alike_and_not_the_same():
    alike = [synthetic.draw_surface(seed, defect=False, item=3).pixels[:1200] for seed in (11, 12)]
    other = synthetic.draw_surface(11, defect=False, item=4).pixels[:1200]
    assert not np.array_equal(*alike)
    assert abs(alike[0].std() - alike[1].std()) < abs(alike[0].std() - other.std())


def test_only_defects_have_an_outline_and_it_is_dark():
    good = synthetic.draw_surface(21, defect=False)
    assert good.label == "non_defect" and not good.outline.any()
    bad = synthetic.draw_surface(21, defect=True)
    assert bad.label == "defect"
    assert 1236 <= bad.pixels.shape[0] <= 1280 and bad.pixels.shape[1] == 500
    assert bad.pixels[bad.outline].mean() < bad.pixels[~bad.outline].mean() - 25


def test_samples_are_redrawn_identically(tmp_path):
    samples.write(tmp_path / "a")
    samples.write(tmp_path / "b")
    for name in ("good.jpg", "defect.jpg", "foreign.jpg"):
        data = (tmp_path / "a" / name).read_bytes()
        assert data == (tmp_path / "b" / name).read_bytes()
        assert len(data) < 300_000
