"""The robustness measurement on a model small enough to foresee: it looks at brightness only."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdd_train.drift import robustness, strangeness
from sdd_train.reporting import heat_map
from sdd_train.drift.changes import CHANGES
from sdd_train.drift.robustness import Bench

BY_NAME = {change.name: change for change in CHANGES}


class BrightnessModel:
    """Embedding: mean gray level and a constant. Darker than 60 means a defect."""

    def __init__(self, kind: str = "binary") -> None:
        self.metadata = {"decision": {"kind": kind, "positive_label": "defect", "threshold": 0.5}}

    def load(self, path: Path) -> Image.Image:
        return Image.open(path).convert("L")

    def predict(self, paths):
        return self.predict_images(map(self.load, paths))

    def predict_images(self, images):
        mean = np.array([np.asarray(image).mean() for image in images])
        return 1 / (1 + np.exp(0.1 * (mean - 60)))[:, None], np.stack([mean, np.full(len(mean), 100.0)], axis=1)


def write(folder: Path, levels: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, level in enumerate(levels):
        Image.new("L", (20, 50), int(level)).save(folder / f"{number:02d}.png")


@pytest.fixture
def run(tmp_path) -> Path:
    """Sound parts of gray levels near 100, defects near 40, and much brighter other images."""
    write(tmp_path / "reference" / "non_defect", np.arange(90, 111))
    write(tmp_path / "reference" / "defect", np.arange(35, 46))
    write(tmp_path / "calibration" / "non_defect", np.arange(80, 120))
    write(tmp_path / "calibration" / "defect", np.arange(38, 43))
    write(tmp_path / "bright", np.arange(240, 250))
    return tmp_path


@pytest.fixture
def bench(run) -> Bench:
    return Bench(BrightnessModel(), run)


def test_unchanged_images_are_not_told_apart(bench):
    row = bench.row("unchanged", "", 0, None, bench.unchanged)
    assert (row.drift_auroc, row.mean_l1_auroc) == pytest.approx((0.5, 0.5))
    assert (row.auroc, row.accuracy, row.found, row.called_defect) == (1.0, 1.0, 1.0, 0.0)
    assert row.images == 40
    assert row.flagged <= robustness.ALPHA


def test_brighter_parts_are_noticed_and_the_classifier_fails_on_darker_ones(bench):
    brighter = bench.rows_of(BY_NAME["brightness up"])
    assert [row.severity for row in brighter] == [1, 2, 3, 4, 5]
    assert brighter[-1].drift_auroc == 1.0 and brighter[-1].flagged == 1.0
    assert brighter[0].drift_auroc < 1.0
    darkest = bench.rows_of(BY_NAME["brightness down"])[-1]
    assert darkest.called_defect == 1.0 and darkest.found == 1.0
    assert darkest.accuracy == pytest.approx(5 / 45)


def test_what_does_not_change_the_embedding_is_not_noticed(bench):
    row = bench.rows_of(BY_NAME["quarter turn"])[0]
    assert row.drift_auroc == pytest.approx(0.5) and row.accuracy == 1.0


def test_other_images_have_no_label(bench, run):
    row = bench.row_of_folder(run / "bright")
    assert (row.change, row.images, row.drift_auroc, row.flagged) == ("bright", 10, 1.0, 1.0)
    assert row.auroc is row.accuracy is row.found is None


def test_a_model_without_a_binary_decision_is_refused(run):
    with pytest.raises(ValueError, match="softmax"):
        Bench(BrightnessModel("softmax"), run)


def test_files_hold_every_row(bench, run):
    rows = [bench.row("unchanged", "", 0, None, bench.unchanged)]
    rows += bench.rows_of(BY_NAME["JPEG"]) + bench.rows_of(BY_NAME["quarter turn"])
    rows.append(bench.row_of_folder(run / "bright"))
    for out in (run / "a", run / "b"):
        robustness.write(rows, out)
    with (run / "a" / "robustness.csv").open(newline="") as lines:
        read = list(csv.DictReader(lines))
    assert [row["change"] for row in read] == ["unchanged"] + ["JPEG"] * 5 + ["quarter turn", "bright"]
    assert json.loads((run / "a" / "robustness.json").read_text())[1]["level"] == 50
    lines = (run / "a" / "robustness.md").read_text().splitlines()
    assert sum(line.startswith("| ") for line in lines) == 2 + 4
    for name in ("robustness.svg", "robustness-dark.svg"):
        assert (run / "a" / name).read_bytes() == (run / "b" / name).read_bytes()


def test_heat_map_leaves_missing_severities_empty(bench):
    rows = bench.rows_of(BY_NAME["quarter turn"]) + bench.rows_of(BY_NAME["JPEG"])
    names, values = heat_map.grid(rows, "drift_auroc")
    assert names == ["quarter turn", "JPEG"] and values.shape == (2, 5)
    assert np.isnan(values[0]).tolist() == [False, True, True, True, True]


def test_mean_l1_by_hand():
    found = strangeness.mean_l1(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0], [1.0, 5.0]]))
    assert found.tolist() == [3.0]


def test_p_value_without_itself_by_hand():
    """Score 3 meets only 2 and 5; score 9 nothing as large; score 0 both."""
    found = strangeness.p_value_without_itself(np.array([3.0, 9.0, 0.0]), np.array([3.0, 2.0, 5.0]))
    assert found == pytest.approx([2 / 3, 1 / 3, 1.0])
