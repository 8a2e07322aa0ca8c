"""Which fold trains on what, and the image folders that the drift index is built from.

Folds are by physical item. A run folder gets from here::

    synthetic/                               drawn training images
    reference/{defect,non_defect}/           what the shipped network was trained on: every item
    foldN/reference/{defect,non_defect}/     what fold N was trained on
    foldN/unseen/{defect,non_defect}/        fold N's held-out real images

Nothing here needs torch.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import dataset, synthetic
from .dataset import Sample

FOLDS = 5
FOLD_SEED = 2024
ALL = None
"""In place of a fold: nothing is held out. The shipped network; the folds say what to expect of it."""
SYNTHETIC_COUNT = 32
SYNTHETIC_FIRST_SEED = 1000
SAMPLE_ITEM = 125
SAMPLE_ITEM_COUNT = 8
SAMPLE_ITEM_FIRST_SEED = 2000
"""Eight drawn images of the item that the shipped samples show, known to the reference only."""
DATA_LICENSE = "CC BY-NC-SA 4.0"
DATA_SOURCE = "https://www.vicos.si/resources/kolektorsdd/"


@dataclass(frozen=True)
class Split:
    """Indices of a fold's training images (synthetic ones included) and held-out real images."""

    train: list[int]
    held_out: list[int]


def read_samples(data: Path, run: Path) -> list[Sample]:
    """KolektorSDD and the run's synthetic images, which are drawn if they are not there yet."""
    drawn = run / "synthetic"
    if not drawn.exists():
        # Under another name until it is whole: half a set would be taken for one ever after.
        unfinished = run / "synthetic.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        synthetic.write_set(unfinished, SYNTHETIC_COUNT, SYNTHETIC_FIRST_SEED)
        unfinished.rename(drawn)
    return dataset.read_kolektor(data) + dataset.read_synthetic(drawn)


def folder_name(fold: int | None) -> str:
    return "all" if fold is ALL else f"fold{fold}"


def split(samples: list[Sample], fold: int | None) -> Split:
    """The fold's split; no item is on both sides, synthetic images are always trained on."""
    real = [s for s in samples if not s.is_synthetic]
    assignment = dataset.assign_folds(real, FOLDS, FOLD_SEED)
    held_out = [i for i, s in enumerate(samples) if not s.is_synthetic and assignment[s.item] == fold]
    return Split(sorted(set(range(len(samples))) - set(held_out)), held_out)


def items(samples: list[Sample], indices: list[int]) -> list[str]:
    """The real items among some samples."""
    return sorted({samples[i].item for i in indices if not samples[i].is_synthetic})


def provenance(images: int, synthetic_images: int, trained: list[str], held_out: list[str]) -> dict[str, object]:
    """The ``trained_on`` object of a model's metadata."""
    return {
        "dataset": "KolektorSDD",
        "license": DATA_LICENSE,
        "images": images,
        "synthetic_images": synthetic_images,
        "items": trained,
        "held_out_items": held_out,
        "source": DATA_SOURCE,
    }


def copy_by_label(samples: list[Sample], folder: Path) -> None:
    """Copies images to ``folder/{defect,non_defect}/``, named by item so that no two collide."""
    for label in dataset.LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    for sample in samples:
        name = sample.path.name if sample.is_synthetic else f"item{sample.item}_{sample.path.name}"
        shutil.copyfile(sample.path, folder / sample.label / name)


def write_reference(data: Path, run: Path, fold: int | None, out: Path) -> None:
    """Writes ``out/reference/`` for the drift index and, of a fold, ``out/unseen/`` to measure on.

    The reference also gets eight drawn images of the samples' item. The weights never saw them: they
    are parts that someone has looked at and accepted, so that a sample of that item is no stranger.
    """
    samples = read_samples(data, run)
    part = split(samples, fold)
    drawn = out / "sample_item"
    for folder in (out / "reference", out / "unseen", drawn):
        shutil.rmtree(folder, ignore_errors=True)
    synthetic.write_set(drawn, SAMPLE_ITEM_COUNT, SAMPLE_ITEM_FIRST_SEED, SAMPLE_ITEM)
    known = [samples[i] for i in part.train] + dataset.read_synthetic(drawn)
    copy_by_label(known, out / "reference")
    if part.held_out:
        copy_by_label([samples[i] for i in part.held_out], out / "unseen")


def check_alike(run: Path) -> None:
    """Raises ``ValueError`` if the networks of a run differ in more than seed and fold: they have no common mean."""
    first: tuple[Path, dict] | None = None
    for path in sorted(run.glob("seed*/*/fold.json")):
        facts = json.loads(path.read_text())
        made_by = {"architecture": facts["architecture"], "recipe": {**facts["recipe"], "seed": None}}
        if first is None:
            first = path, made_by
        elif made_by != first[1]:
            raise ValueError(
                f"{path}: trained with {made_by}, but {first[0]} with {first[1]}; use another run folder, "
                "or delete what is left of an earlier run"
            )
