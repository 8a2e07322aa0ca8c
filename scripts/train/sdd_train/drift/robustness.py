"""How soon the drift score notices that images changed, and how long the classifier withstands it.

The held-out images of a run are changed (:mod:`sdd_train.drift.changes`) and scored against the run's
reference, as the service would. Needs ONNX Runtime, not torch.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from ..onnx_files.serving import ServedModel
from ..data.image_files import images_below
from ..reporting import heat_map
from ..reporting.tables import Table, number
from . import strangeness
from .changes import CHANGES, Change, changed

log = logging.getLogger(__name__)

ALPHA = 0.05
"""An image counts as flagged where its p-value is at most this."""


@dataclass(frozen=True)
class Row:
    """A kind of change at one level, or a folder of other images.

    ``drift_auroc`` and ``mean_l1_auroc`` say how well a score separates the held-out sound parts
    from the same parts changed (or from the other images); ``flagged`` is the share of the latter
    with a p-value of at most 5 %, and ``called_defect`` the share that the model calls defective.
    ``auroc``, ``accuracy`` and ``found`` (share of the defects) are the classifier's own, on all
    held-out images so changed; other images have no such label.
    """

    change: str
    unit: str
    severity: int
    level: float | None
    images: int
    drift_auroc: float
    mean_l1_auroc: float
    flagged: float
    called_defect: float
    auroc: float | None = None
    accuracy: float | None = None
    found: float | None = None


@dataclass(frozen=True)
class Answer:
    """What is seen of some images: both scores and the probability of a defect, each ``[M]``."""

    drift: np.ndarray
    mean_l1: np.ndarray
    probability: np.ndarray


class Bench:
    """A model, its reference, and the held-out images as they are.

    Raises ``ValueError`` for a model without a binary decision, and ``FileNotFoundError`` without
    images in ``run/reference`` or ``run/calibration``.
    """

    def __init__(self, model: ServedModel, run: Path) -> None:
        decision = model.metadata["decision"]
        if decision["kind"] != "binary":
            raise ValueError(f"expected a model with a binary decision, found {decision['kind']!r}")
        self.model = model
        self.threshold = decision["threshold"]
        _, self.reference = model.predict(images_below(run / "reference"))
        paths = images_below(run / "calibration")
        self.is_defect = np.array([path.parent.name == decision["positive_label"] for path in paths])
        # Decoded once and used at every level: 64 gray strips are 40 MB.
        self.images = [model.load(path) for path in paths]
        self.unchanged = self.answer(self.images)

    def answer(self, images: Iterable[Image.Image]) -> Answer:
        probability, embedding = self.model.predict_images(images)
        return Answer(
            strangeness.neighbor_distance(embedding, self.reference),
            strangeness.mean_l1(embedding, self.reference),
            probability[:, 0],
        )

    def separation(self, drift: np.ndarray, mean_l1: np.ndarray) -> dict[str, float]:
        """AUROC of both scores: held-out sound parts against images with the given scores ``[M]``."""
        sound = ~self.is_defect
        pairs = {
            "drift_auroc": (self.unchanged.drift[sound], drift),
            "mean_l1_auroc": (self.unchanged.mean_l1[sound], mean_l1),
        }
        return {
            name: float(roc_auc_score(np.repeat([False, True], [len(known), len(new)]), np.concatenate([known, new])))
            for name, (known, new) in pairs.items()
        }

    def row(self, change: str, unit: str, severity: int, level: float | None, answer: Answer) -> Row:
        """The row of the held-out images, all of them changed alike."""
        sound = ~self.is_defect
        called = answer.probability >= self.threshold
        p_values = strangeness.p_value_without_itself(answer.drift, self.unchanged.drift)
        return Row(
            change, unit, severity, level, int(sound.sum()),
            **self.separation(answer.drift[sound], answer.mean_l1[sound]),
            flagged=float(np.mean(p_values[sound] <= ALPHA)),
            called_defect=float(np.mean(called[sound])),
            auroc=float(roc_auc_score(self.is_defect, answer.probability)),
            accuracy=float(np.mean(called == self.is_defect)),
            found=float(np.mean(called[self.is_defect])),
        )

    def rows_of(self, change: Change) -> list[Row]:
        """One row for each level of a change."""
        rows = []
        for severity, level in enumerate(change.levels, start=1):
            answer = self.answer(changed(self.images, change, level))
            rows.append(self.row(change.name, change.unit, severity, level, answer))
            log.info("%s %g: drift AUROC %.3f", change.name, level, rows[-1].drift_auroc)
        return rows

    def row_of_folder(self, folder: Path) -> Row:
        """The row of other images, none of which is a part at all."""
        answer = self.answer(map(self.model.load, images_below(folder)))
        return Row(
            folder.name, "other images", 0, None, len(answer.drift),
            **self.separation(answer.drift, answer.mean_l1),
            flagged=float(np.mean(strangeness.p_value(answer.drift, self.unchanged.drift) <= ALPHA)),
            called_defect=float(np.mean(answer.probability >= self.threshold)),
        )


def table(rows: Sequence[Row]) -> Table:
    """One line for each change, its levels side by side."""

    def joined(values: Iterable[float | None], digits: int = 2) -> str:
        return " / ".join(number(value, digits) for value in values)

    lines = []
    for change in dict.fromkeys(row.change for row in rows):
        same = [row for row in rows if row.change == change]
        levels = " / ".join(f"{row.level:g}" for row in same if row.level is not None)
        lines.append(
            [
                change,
                f"{same[0].unit} {levels}".strip(),
                joined(row.drift_auroc for row in same),
                joined(row.mean_l1_auroc for row in same),
                joined(row.flagged for row in same),
                joined(row.auroc for row in same),
                joined(row.accuracy for row in same),
                joined(row.found for row in same),
                joined(row.called_defect for row in same),
            ]
        )
    header = [
        "change", "level", "drift AUROC", "mean L1 AUROC", "flagged at 5 %", "classifier AUROC", "accuracy",
        "defects found", "called defective",
    ]
    return Table(
        "Changed images",
        header,
        lines,
        f"Drift AUROC: held-out sound parts ({rows[0].images}) against the same parts changed, by the distance to the "
        f"{strangeness.NEIGHBORS}th neighbor; flagged: share of the changed ones with a conformal p-value of at most "
        "5 %, each without its own calibration score. The classifier's numbers are of all held-out images so changed; "
        "called defective: share of the sound (or other) images.",
    )


def measure(model: Path, run: Path, other: Sequence[Path]) -> list[Row]:
    """The rows of the unchanged images, of every change and level, and of folders of other images."""
    bench = Bench(ServedModel(model), run)
    rows = [bench.row("unchanged", "", 0, None, bench.unchanged)]
    for change in CHANGES:
        rows += bench.rows_of(change)
    return rows + [bench.row_of_folder(folder) for folder in other]


def write(rows: Sequence[Row], out: Path) -> None:
    """Writes ``robustness.csv``, ``.json``, ``.md`` and the heat map ``robustness.svg``, ``robustness-dark.svg``."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "robustness.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    (out / "robustness.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    (out / "robustness.md").write_text(table(rows).markdown(), encoding="utf-8")
    heat_map.write(out / "robustness.svg", rows)
