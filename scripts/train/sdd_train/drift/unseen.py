"""What the service says of parts that the network never saw, as they are and changed.

Each fold's network is exported, ``drift-index`` builds its reference of the items that it was trained on, each of
which calibrates among the others, and judges the images of the fold's held-out items: as they are, and changed as
:mod:`sdd_train.drift.changes` does. So every item is once a part that nobody has seen, and what is measured is the
program, not a copy of its formulas.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from ..data import folds, imaging
from ..data.image_files import images_below
from ..data.properties import properties
from ..onnx_files.serving import ServedModel
from ..reporting import heat_map
from ..reporting.tables import Table, number
from .changes import CHANGES, Change

log = logging.getLogger(__name__)

GROUPS = r"item\d+"
ITEM = slice(0, len("item00"))
"""Where an image's name says which item it shows; see :func:`sdd_train.data.folds.copy_by_label`."""
SOUND = "non_defect"
KEPT = {
    "Gaussian blur": (1, 2), "Gaussian noise": (5,), "brightness up": (1.1,), "brightness down": (0.95, 0.9, 0.8),
    "small rotation": (2,),
}
"""Changes of which every image's score is kept, for simulations of streams."""
DIGITS = 6
"""Significant digits of a kept number."""


@dataclass(frozen=True)
class Judged:
    """An image, what it shows, and what ``drift-index check`` says of it."""

    part: str
    label: str
    predicted: str
    score: float
    out_of_distribution: bool
    properties: dict[str, float] | None = None

    @property
    def is_sound(self) -> bool:
        return self.label == SOUND


@dataclass(frozen=True)
class Row:
    """A kind of change at one level, over all folds, or a folder of other images.

    ``flagged`` is the share of the sound images with a p-value of at most 5 %, as the mean over parts, with a 95 %
    interval over parts (Student's t); of other images the plain share. ``drift_auroc`` says how well the score
    separates sound images from the same ones changed (or from the other images), on average over the folds.
    ``called_defect`` is the share of the sound (or other) images that the model calls defective, ``accuracy`` and
    ``found`` (share of the defects) are the model's own on all images so changed; other images have no label.
    """

    change: str
    unit: str
    severity: int
    level: float | None
    images: int
    flagged: float
    flagged_low: float | None
    flagged_high: float | None
    drift_auroc: float
    called_defect: float
    accuracy: float | None = None
    found: float | None = None


def mean_with_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of independent values, at least two, and its 95 % interval within [0, 1]."""
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = error * float(stats.t.ppf(0.975, len(values) - 1))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def of_sound(images: Iterable[Judged]) -> list[Judged]:
    return [image for image in images if image.is_sound]


def auroc(known: Sequence[Judged], new: Sequence[Judged]) -> float:
    """How well the score tells new images from known ones."""
    scores = [[image.score for image in images] for images in (known, new)]
    return float(roc_auc_score(np.repeat([0, 1], [len(s) for s in scores]), np.concatenate(scores)))


class Fold:
    """A fold's network, its reference, and the images that it never saw; all made anew in the run's folder."""

    def __init__(self, data: Path, run: Path, fold: int, drift_index: Path) -> None:
        # Only the export needs torch; the tests of this module do without.
        from ..learning import release

        folder = run / folds.folder_name(fold)
        self.model, self.store, unseen = folder / "model.onnx", folder / "store", folder / "unseen"
        self.drift_index = drift_index.resolve()
        release.write(data, run, self.model, fold)
        folds.write_reference(data, run, fold, folder)
        shutil.rmtree(self.store, ignore_errors=True)
        self.run("build", folder / "reference", "--group-regex", GROUPS, "--out", self.store)
        served = ServedModel(self.model, threads=1)
        self.preprocessing = served.preprocessing
        self.paths = images_below(unseen)
        self.images = [served.load(path) for path in self.paths]
        self.unchanged = self.judge(unseen, self.paths, measured=True)

    def run(self, *arguments: object) -> str:
        """What the program prints; ``ValueError`` where it says that something is wrong."""
        command = [self.drift_index, *arguments, "--model", self.model, "--threads", "1"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        # 1 and 4 are verdicts on a batch; 3 is images that could not be read.
        if done.returncode not in (0, 1, 4):
            raise ValueError(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
        return done.stdout

    def judge(self, folder: Path, paths: Sequence[Path], measured: bool = False) -> list[Judged]:
        """What the program says of a folder's images; with properties where they are measured."""
        results = json.loads(self.run("check", self.store, folder, "--each", "--json"))["results"]
        by_name = {result["image"]: result for result in results}
        judged = []
        for path in paths:
            result = by_name[str(path.relative_to(folder))]
            seen = properties(imaging.load_resized(path, self.preprocessing)) if measured else None
            strange = result["out_of_distribution"]
            judged.append(
                Judged(path.name[ITEM], path.parent.name, result["class"], result["score"], strange, seen)
            )
        return judged

    def changed(self, change: Change, level: float, measured: bool = False) -> list[Judged]:
        """The images changed, as a camera would deliver them: each in a file, without loss."""
        with tempfile.TemporaryDirectory() as name:
            folder, paths = Path(name), []
            for index, (path, image) in enumerate(zip(self.paths, self.images, strict=True)):
                target = folder / path.parent.name / f"{path.stem}.bmp"
                target.parent.mkdir(exist_ok=True)
                change.of(image, level, index).save(target)
                paths.append(target)
            return self.judge(folder, paths, measured)

    def other(self, folder: Path) -> list[Judged]:
        return self.judge(folder, images_below(folder))

    def calibration(self) -> list[dict[str, object]]:
        """What the store's items are like to each other: the entries of its calibration."""
        (path,) = self.store.glob("calibration-*.json")
        entries = json.loads(path.read_text())["scores"]
        return [kept(e["group"], e["label"], e["predicted_class"], e["score"], e["properties"]) for e in entries]


def kept(part: str, label: str, predicted: str, score: float, seen: dict[str, float]) -> dict[str, object]:
    """An image as it is kept for simulations: names and rounded numbers, no picture."""
    rounded = {name: float(f"{value:.{DIGITS}g}") for name, value in seen.items()}
    return {
        "part": part, "label": label, "predicted": predicted,
        "score": float(f"{score:.{DIGITS}g}"), "properties": rounded,
    }


def row(change: str, unit: str, severity: int, level: float | None, of_folds: Sequence[tuple[Fold, list[Judged]]]) -> Row:
    """The row of the unseen images of all folds, all of them changed alike."""
    images = [image for _, judged in of_folds for image in judged]
    sound = of_sound(images)
    defects = [image for image in images if not image.is_sound]
    parts = sorted({image.part for image in sound})
    shares = [np.mean([i.out_of_distribution for i in sound if i.part == part]) for part in parts]
    separations = [auroc(of_sound(fold.unchanged), of_sound(judged)) for fold, judged in of_folds]
    flagged, low, high = mean_with_interval(shares)
    return Row(
        change, unit, severity, level, len(sound), flagged, low, high,
        drift_auroc=float(np.mean(separations)),
        called_defect=float(np.mean([i.predicted != SOUND for i in sound])),
        accuracy=float(np.mean([i.predicted == i.label for i in images])),
        found=float(np.mean([i.predicted == i.label for i in defects])),
    )


def row_of_others(name: str, of_folds: Sequence[tuple[Fold, list[Judged]]]) -> Row:
    """The row of other images, none of which is a part at all."""
    images = [image for _, judged in of_folds for image in judged]
    return Row(
        name, "other images", 0, None, len(images) // len(of_folds),
        float(np.mean([i.out_of_distribution for i in images])), None, None,
        drift_auroc=float(np.mean([
            auroc(of_sound(fold.unchanged), judged) for fold, judged in of_folds
        ])),
        called_defect=float(np.mean([i.predicted != SOUND for i in images])),
    )


def table(rows: Sequence[Row]) -> Table:
    """One line for each change, its levels side by side."""

    def joined(values: Iterable[float | None], digits: int = 2) -> str:
        return " / ".join(number(value, digits) for value in values)

    lines = []
    for change in dict.fromkeys(row.change for row in rows):
        same = [row for row in rows if row.change == change]
        levels = " / ".join(f"{row.level:g}" for row in same if row.level is not None)
        flagged = joined(row.flagged for row in same)
        if len(same) == 1 and same[0].flagged_low is not None:
            flagged += f" [{same[0].flagged_low:.3f}, {same[0].flagged_high:.3f}]"
        lines.append([
            change,
            f"{same[0].unit} {levels}".strip(),
            flagged,
            joined(row.drift_auroc for row in same),
            joined(row.accuracy for row in same),
            joined(row.found for row in same),
            joined(row.called_defect for row in same),
        ])
    return Table(
        "Parts that the network never saw",
        ["change", "level", "flagged", "drift AUROC", "accuracy", "defects found", "called defective"],
        lines,
        f"{rows[0].images} sound images, each of an item that the fold's network and reference lack. Flagged: share with a "
        "p-value of at most 5 %, mean over items. Drift AUROC: the same images unchanged against changed, mean over "
        "folds. Called defective: share of the sound (or other) images.",
    )


def measure(
    data: Path, run: Path, drift_index: Path, other: Sequence[Path]
) -> tuple[list[Row], dict[str, object]]:
    """The rows of the unchanged images, of every change and level, and of other images; and what is kept of images."""
    of_run = [Fold(data, run, fold, drift_index) for fold in range(folds.FOLDS)]
    unseen = [{"unchanged": fold.unchanged} for fold in of_run]
    rows = [row("unchanged", "", 0, None, [(fold, fold.unchanged) for fold in of_run])]
    log.info("unchanged: flagged %.3f", rows[0].flagged)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for change in CHANGES:
            for severity, level in enumerate(change.levels, start=1):
                measured = level in KEPT.get(change.name, ())
                judged = list(pool.map(lambda fold: fold.changed(change, level, measured), of_run))
                rows.append(row(change.name, change.unit, severity, level, list(zip(of_run, judged))))
                log.info("%s %g: flagged %.3f", change.name, level, rows[-1].flagged)
                if measured:
                    for of_fold, images in zip(unseen, judged):
                        of_fold[f"{change.name} {level:g}"] = images
        for folder in other:
            rows.append(row_of_others(folder.name, list(zip(of_run, pool.map(lambda fold: fold.other(folder), of_run)))))
    parts = [
        {
            "calibration": fold.calibration(),
            "unseen": {
                name: [kept(i.part, i.label, i.predicted, i.score, i.properties) for i in images]
                for name, images in of_fold.items()
            },
        }
        for fold, of_fold in zip(of_run, unseen)
    ]
    return rows, {"folds": parts}


def write(measured: tuple[Sequence[Row], dict[str, object]], out: Path) -> None:
    """Writes ``unseen.json``, ``unseen.md``, the heat map ``unseen.svg``, ``unseen-dark.svg``, and ``parts.json``."""
    rows, parts = measured
    out.mkdir(parents=True, exist_ok=True)
    (out / "unseen.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    (out / "unseen.md").write_text(table(rows).markdown(), encoding="utf-8")
    heat_map.write(out / "unseen.svg", rows)
    (out / "parts.json").write_text(json.dumps(parts, separators=(",", ":")) + "\n")
