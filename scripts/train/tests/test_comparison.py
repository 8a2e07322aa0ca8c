"""compare.py: its rows on models whose answers are known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from make_plain_model import LABELS, PREPROCESSING, build, draw_set
from make_tiny_model import build as build_tiny
from make_tiny_model import description
from sdd_train.onnx_files import comparison, embedding_output, metadata
from sdd_train.onnx_files.comparison import Labeled
from sdd_train.onnx_files.inference import Classifier

FOLDER = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`four.onnx` (softmax), `two.onnx` (binary) and images that neither was fitted to."""
    folder = tmp_path_factory.mktemp("comparison")
    four = embedding_output.add(build(draw_set(folder / "fitted"))).model
    content = metadata.document(
        name="four", version="1", description="", license="", labels=LABELS, preprocessing=PREPROCESSING,
        decision=metadata.softmax_decision(), embedding_dimension=16, trained_on={},
    )
    metadata.attach(four, content)
    onnx.save(four, folder / "four.onnx")
    two = build_tiny("binary")
    metadata.attach(two, description("binary"))
    onnx.save(two, folder / "two.onnx")
    draw_set(folder / "images", first_seed=1000, count=4)
    # The binary model's labels, with images that have nothing to do with them.
    for label, source in (("defect", "rows"), ("non_defect", "plain")):
        shutil.copytree(folder / "images" / source, folder / "binary" / label)
    return folder


def test_rows(folder: Path) -> None:
    images = Labeled.below(folder / "images")
    assert images.labels == [path.parent.name for path in images.paths]
    first, same = comparison.compare([folder / "four.onnx", folder / "four.onnx"], images, rounds=3)
    model = Classifier(folder / "four.onnx")
    probability, _ = model.predict(images.paths)
    truth = np.array(images.labels)
    expected = [roc_auc_score(truth == label, probability[:, i]) for i, label in enumerate(LABELS)]
    assert first.auroc == pytest.approx(np.mean(expected))
    assert (same.same_class, same.max_difference) == (1.0, 0.0)
    assert (first.width, first.height, first.precision) == (PREPROCESSING.width, PREPROCESSING.height, "fp32")
    # Two convolutions of stride 2 with 8 and 16 kernels of 3 x 3, and a linear layer.
    assert first.gflops == pytest.approx(2e-9 * (24 * 20 * 8 * 27 + 12 * 10 * 16 * 72 + 16 * 4))
    assert first.parameters == 8 * 27 + 8 + 16 * 72 + 16 + 16 * 4 + 4
    assert first.megabytes == (folder / "four.onnx").stat().st_size / 1e6
    lower, median, upper = first.milliseconds
    assert 0 < lower <= median <= upper


def test_a_binary_model_ranks_by_its_positive_label(folder: Path) -> None:
    images = Labeled.below(folder / "binary")
    (row,) = comparison.compare([folder / "two.onnx"], images, rounds=1)
    model = Classifier(folder / "two.onnx")
    score = [model.run(model.load(path))[0][0, model.labels.index("defect")] for path in images.paths]
    truth = [label == "defect" for label in images.labels]
    assert row.auroc == pytest.approx(roc_auc_score(truth, score))
    assert row.ap == pytest.approx(average_precision_score(truth, score))


def test_classes_follow_the_decision_rule(folder: Path) -> None:
    binary, softmax = Classifier(folder / "two.onnx"), Classifier(folder / "four.onnx")
    assert binary.labels == ["defect", "non_defect"]
    threshold = np.float32(binary.document["decision"]["threshold"])
    defect = np.array([0.0, np.nextafter(threshold, np.float32(0)), threshold, 1.0], dtype=np.float32)
    assert binary.classes(np.stack([defect, 1 - defect], axis=1)).tolist() == [1, 1, 0, 0]
    assert softmax.classes(np.eye(4)[[2, 0]]).tolist() == [2, 0]


def test_models_are_timed_in_turns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Watched(Classifier):
        def run(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            order.append(self.path.stem)
            return super().run(image)

    monkeypatch.setattr(comparison, "WARM_UP", 0)
    models = [Watched(folder / "four.onnx"), Watched(folder / "two.onnx")]
    times = comparison.milliseconds(models, [comparison.timing_input(m, None) for m in models], rounds=3)
    assert order == ["four", "two", "two", "four", "four", "two"]
    assert times.shape == (2, 3) and (times > 0).all()


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-B", "compare.py", *map(str, arguments), "--rounds", "2"]
    return subprocess.run(line, cwd=FOLDER, capture_output=True, text=True, timeout=60)


def test_the_command_prints_a_table_or_json(folder: Path) -> None:
    both = [folder / "two.onnx", folder / "four.onnx"]
    table = command(*both).stdout.splitlines()
    assert len(table) == 4 and len({line.count("|") for line in table}) == 1
    assert "two.onnx" in table[2] and "four.onnx" in table[3]
    rows = json.loads(command(*both, "--json").stdout)
    assert [row["file"] for row in rows] == ["two.onnx", "four.onnx"]
    assert rows[0]["auroc"] is None


def test_folders_that_are_no_labels_are_refused(folder: Path) -> None:
    done = command(folder / "two.onnx", "--images", folder / "images")
    assert done.returncode != 0
    assert "['defect', 'non_defect']" in done.stderr and "Traceback" not in done.stderr
