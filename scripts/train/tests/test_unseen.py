"""What is made of the program's answers: shares over parts, tables and files. The answers themselves are `make train`'s."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from sdd_train.drift import unseen
from sdd_train.drift.unseen import Judged
from sdd_train.reporting import heat_map


def judged(part: str, label: str, predicted: str, score: float, strange: bool) -> Judged:
    return Judged(part, label, predicted, score, strange, {"brightness": 123.456789})


UNCHANGED = [
    judged("item00", "non_defect", "non_defect", 0.1, False),
    judged("item00", "non_defect", "non_defect", 0.2, False),
    judged("item01", "non_defect", "non_defect", 0.3, True),
    judged("item01", "defect", "defect", 0.4, False),
]
CHANGED = [
    judged("item00", "non_defect", "non_defect", 0.5, True),
    judged("item00", "non_defect", "defect", 0.15, False),
    judged("item01", "non_defect", "non_defect", 0.6, True),
    judged("item01", "defect", "non_defect", 0.4, True),
]
FOLD = SimpleNamespace(unchanged=UNCHANGED)


def test_a_part_counts_once_however_many_images_it_has():
    row = unseen.row("blur", "px", 1, 2, [(FOLD, CHANGED)])
    assert row.images == 3
    # 1 of 2 and 1 of 1; the defect does not count.
    assert row.flagged == pytest.approx(0.75)
    assert row.flagged_low == 0.0 and row.flagged_high == 1.0
    assert row.called_defect == pytest.approx(1 / 3)
    assert (row.accuracy, row.found) == (0.5, 0.0)
    # Of the nine pairs of unchanged and changed scores, 0.15 lies below 0.2 and 0.3.
    assert row.drift_auroc == pytest.approx(7 / 9)


def test_the_interval_is_students_over_parts():
    mean, low, high = unseen.mean_with_interval([0.0, 0.1, 0.2])
    assert mean == pytest.approx(0.1)
    # t(0.975, 2) = 4.3027; the standard error is 0.1 / sqrt(3).
    assert high == pytest.approx(0.1 + 4.302653 * 0.1 / np.sqrt(3), rel=1e-6)
    assert low == 0.0


def test_other_images_have_no_label_and_no_parts():
    row = unseen.row_of_others("tiles", [(FOLD, CHANGED), (FOLD, CHANGED)])
    assert (row.images, row.flagged) == (4, 0.75)
    assert row.flagged_low is row.accuracy is row.found is None


def test_kept_numbers_are_rounded_and_nothing_else_is_kept():
    kept = unseen.kept("item00", "defect", "non_defect", 0.123456789, {"noise": 1.23456789e-5})
    assert kept == {
        "part": "item00", "label": "defect", "predicted": "non_defect",
        "score": 0.123457, "properties": {"noise": 1.23457e-5},
    }


def test_files_hold_every_row(tmp_path):
    rows = [
        unseen.row("unchanged", "", 0, None, [(FOLD, UNCHANGED)]),
        unseen.row("JPEG", "quality", 1, 50, [(FOLD, CHANGED)]),
        unseen.row("JPEG", "quality", 2, 30, [(FOLD, CHANGED)]),
        unseen.row("quarter turn", "degrees", 1, 90, [(FOLD, CHANGED)]),
        unseen.row_of_others("tiles", [(FOLD, CHANGED)]),
    ]
    unseen.write((rows, {"folds": []}), tmp_path)
    assert [row["level"] for row in json.loads((tmp_path / "unseen.json").read_text())] == [None, 50, 30, 90, None]
    lines = (tmp_path / "unseen.md").read_text().splitlines()
    assert sum(line.startswith("| ") for line in lines) == 2 + 4
    assert (tmp_path / "unseen.svg").exists() and (tmp_path / "unseen-dark.svg").exists()
    assert json.loads((tmp_path / "parts.json").read_text()) == {"folds": []}
    names, values = heat_map.grid(rows, "flagged")
    assert names == ["JPEG", "quarter turn"] and values.shape == (2, 2)
    assert np.isnan(values).tolist() == [[False, False], [False, True]]
