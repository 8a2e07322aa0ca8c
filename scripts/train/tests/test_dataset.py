"""Folds, items and the two layouts of KolektorSDD."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdd_train.data import dataset, folds
from sdd_train.data.image_files import images_below
from sdd_train.data.dataset import SYNTHETIC_ITEM, Sample


def some_samples(items: int = 23) -> list[Sample]:
    """Eight images an item; the first is a defect, in every fifth item the second too."""
    samples = []
    for item in range(items):
        for part in range(8):
            defect = part == 0 or (part == 1 and item % 5 == 0)
            label = "defect" if defect else "non_defect"
            samples.append(Sample(Path(label) / f"{item}_{part}.jpg", label, f"{item:02d}"))
    return samples


def test_folds_are_seeded_and_even():
    samples = some_samples()
    assignment = dataset.assign_folds(samples, 5, seed=3)
    assert assignment == dataset.assign_folds(samples[::-1], 5, seed=3)
    assert assignment != dataset.assign_folds(samples, 5, seed=4)
    sizes = Counter(assignment.values())
    assert len(sizes) == 5 and max(sizes.values()) - min(sizes.values()) <= 1
    doubles = Counter(assignment[f"{item:02d}"] for item in range(0, 23, 5))
    assert len(doubles) == 5


@pytest.mark.parametrize("fold", range(5))
def test_a_split_never_divides_an_item_and_never_holds_out_synthetic_images(fold):
    drawn = [Sample(Path("defect/synthetic_1.jpg"), "defect", SYNTHETIC_ITEM)]
    samples = some_samples() + drawn
    part = folds.split(samples, fold)
    train = {samples[i].item for i in part.train}
    held_out = {samples[i].item for i in part.held_out}
    assert not train & held_out
    assert SYNTHETIC_ITEM in train
    assert sorted(part.train + part.held_out) == list(range(len(samples)))
    assert any(samples[i].is_defect for i in part.held_out)


def test_running_numbers_map_to_items_past_the_short_one():
    items = [dataset.item_of_number(number) for number in range(399)]
    sizes = Counter(items)
    assert len(sizes) == 50
    assert sizes.pop("14") == 7
    assert set(sizes.values()) == {8}
    assert items == sorted(items)


def test_original_layout_is_read(tmp_path):
    folder = tmp_path / "kos01"
    folder.mkdir()
    for part in range(2):
        Image.new("L", (50, 125), 180).save(folder / f"Part{part}.jpg")
        mask = np.zeros((125, 50), dtype=np.uint8)
        mask[60:64, 10:40] = 255 * part
        Image.fromarray(mask).save(folder / f"Part{part}_label.bmp")
    good, defect = dataset.read_kolektor(tmp_path)
    assert (good.label, good.item, good.outline) == ("non_defect", "kos01", None)
    assert (defect.label, defect.item) == ("defect", "kos01")
    mask = dataset.outline_mask(defect, 25, 62)
    assert mask.shape == (62, 25) and 20 <= mask.sum() <= 60


def test_layout_sorted_by_label_is_read(tmp_path):
    for folder in ("defect", "non_defect", "polygons"):
        (tmp_path / folder).mkdir()
    Image.new("L", (50, 125), 180).save(tmp_path / "defect" / "119.jpg")
    Image.new("L", (50, 125), 180).save(tmp_path / "non_defect" / "118.jpg")
    (tmp_path / "polygons" / "119.txt").write_text("0 0.2 0.4 0.8 0.4 0.8 0.5 0.2 0.5\n")
    (tmp_path / "items.csv").write_text(
        "image,label,item\ndefect/119.jpg,defect,14\nnon_defect/118.jpg,non_defect,14\n"
    )
    defect, good = dataset.read_kolektor(tmp_path)
    assert (defect.item, good.item) == ("15", "14")
    mask = dataset.outline_mask(defect, 50, 125)
    assert mask[55, 25] == 1 and mask[30, 25] == 0
    assert 300 < mask.sum() < 500


def test_images_that_drift_index_label_added_keep_their_item(tmp_path):
    (tmp_path / "items.csv").write_text(
        "image,label,item\nnon_defect/119.jpg,non_defect,14\nnon_defect/04fad7ea.jpg,non_defect,captured-04fad7ea\n"
    )
    for trust in (False, True):
        samples = dataset.read_sorted_by_label(tmp_path, trust_items_csv=trust)
        assert [sample.item for sample in samples] == ["14" if trust else "15", "captured-04fad7ea"]
    assert len(dataset.assign_folds(samples, 2, seed=1)) == 2


def test_missing_data_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="kos01"):
        dataset.read_kolektor(tmp_path)


def write_fold(run, seed, fold, height, **recipe):
    folder = run / f"seed{seed}" / f"fold{fold}"
    folder.mkdir(parents=True)
    facts = {"architecture": {"height": height}, "recipe": {"seed": seed, **recipe}}
    (folder / "fold.json").write_text(json.dumps(facts))


def test_networks_that_were_not_trained_alike_have_no_common_summary(tmp_path):
    write_fold(tmp_path, 7, 0, 640, steps=240)
    write_fold(tmp_path, 8, 0, 640, steps=240)
    folds.check_alike(tmp_path)
    write_fold(tmp_path, 7, 1, 512, steps=240)
    with pytest.raises(ValueError, match="fold1.*512.*another run folder"):
        folds.check_alike(tmp_path)


def test_images_of_a_folder_are_those_that_drift_index_takes(tmp_path):
    for name in ("b.jfif", "a.PNG", ".hidden.png", ".folder/c.png", "deep/er/d.tif", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images_below(tmp_path)]
    assert found == ["a.PNG", "b.jfif", "deep/er/d.tif"]
    with pytest.raises(FileNotFoundError, match="expected images"):
        images_below(tmp_path / "deep" / "er" / "d.tif")
