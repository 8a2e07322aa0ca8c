"""KolektorSDD and the synthetic surfaces as lists of samples, and their folds.

Two layouts of KolektorSDD are read:

* the original download: ``kos01/Part0.jpg`` with ``kos01/Part0_label.bmp``;
* sorted by label: ``defect/NNN.jpg``, ``non_defect/NNN.jpg``, the outlines as
  ``polygons/NNN.txt`` and the physical items in ``items.csv``.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import imaging
from .imaging import Preprocessing

LABELS = ("defect", "non_defect")
SYNTHETIC_ITEM = "synthetic"
IMAGES_PER_ITEM = 8
SHORT_ITEM = 14
"""The item with seven images instead of eight, counted from zero.

Inferred, not documented: 399 images of 50 items make one short; the whole items that
are absent from the copy sorted by label (images 143-150 and 223-230) show that the
count is off by one there; and the images themselves change at 119, not at 120.
Image 111 could belong to either neighbor.
"""


@dataclass(frozen=True)
class Sample:
    """An image file, its label, the physical item it shows, and the defect's outline.

    ``outline`` is a polygon text file, a mask image, or nothing.
    """

    path: Path
    label: str
    item: str
    outline: Path | None = None

    @property
    def is_defect(self) -> bool:
        return self.label == "defect"

    @property
    def is_synthetic(self) -> bool:
        return self.item == SYNTHETIC_ITEM

    @property
    def name(self) -> str:
        """``item-folder/file`` or ``label/file``, as it stands in result tables."""
        return f"{self.path.parent.name}/{self.path.name}"


@dataclass(frozen=True)
class Pixels:
    """Samples decoded once. ``images`` uint8 ``[M, H, W]``, ``outlines`` uint8 ``[M, H, W]`` of 0 and 1."""

    samples: tuple[Sample, ...]
    images: np.ndarray
    outlines: np.ndarray

    def subset(self, indices: list[int]) -> Pixels:
        return Pixels(tuple(self.samples[i] for i in indices), self.images[indices], self.outlines[indices])


def item_of_number(number: int) -> str:
    """The physical item of a running image number (000 .. 398) of KolektorSDD.

    Items have eight images each but for one with seven (:data:`SHORT_ITEM`), so that
    ``number // 8`` is one image off from there on: image 119 is the first of item 15.
    """
    shift = 1 if number >= SHORT_ITEM * IMAGES_PER_ITEM + IMAGES_PER_ITEM - 1 else 0
    return f"{(number + shift) // IMAGES_PER_ITEM:02d}"


def read_sorted_by_label(root: Path, trust_items_csv: bool = False) -> list[Sample]:
    """Reads ``defect/``, ``non_defect/``, ``polygons/`` and ``items.csv``.

    The item column of ``items.csv`` counts eight images for every item; it is
    replaced by :func:`item_of_number` unless ``trust_items_csv``. Images whose name is
    no number were added since, as by ``drift-index capture label``: they keep their item.
    """
    samples = []
    with (root / "items.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            path = root / row["image"]
            polygon = root / "polygons" / f"{path.stem}.txt"
            if not path.stem.isdecimal():
                item = row["item"]
            elif trust_items_csv:
                item = f"{int(row['item']):02d}"
            else:
                item = item_of_number(int(path.stem))
            samples.append(Sample(path, row["label"], item, polygon if polygon.exists() else None))
    return samples


def read_original(root: Path) -> list[Sample]:
    """Reads ``kosNN/PartM.jpg`` and ``kosNN/PartM_label.bmp``; a mark in the label image means a defect."""
    samples = []
    for path in sorted(root.glob("kos*/Part*.jpg")):
        mask = path.with_name(f"{path.stem}_label.bmp")
        with Image.open(mask) as opened:
            marked = opened.convert("L").getextrema()[1] > 0
        label = "defect" if marked else "non_defect"
        samples.append(Sample(path, label, path.parent.name, mask if marked else None))
    return samples


def read_kolektor(root: Path) -> list[Sample]:
    """Reads KolektorSDD in whichever layout is found, sorted by path."""
    if (root / "items.csv").exists():
        samples = read_sorted_by_label(root)
    else:
        samples = read_original(root)
    if not samples:
        raise FileNotFoundError(
            f"{root}: expected KolektorSDD, either kos01/Part0.jpg or defect/ with items.csv"
        )
    return sorted(samples, key=lambda sample: str(sample.path))


def read_synthetic(root: Path) -> list[Sample]:
    """Reads what :func:`sdd_train.data.synthetic.write_set` wrote."""
    samples = []
    for label in LABELS:
        for path in sorted((root / label).glob("*.jpg")):
            outline = root / "outlines" / f"{path.stem}.png"
            samples.append(Sample(path, label, SYNTHETIC_ITEM, outline if outline.exists() else None))
    return samples


def polygon_mask(path: Path, width: int, height: int) -> Image.Image:
    """Rasterizes ``class x1 y1 x2 y2 ...`` lines (fractions of the size) as an "L" image of 0 and 255."""
    canvas = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    for line in path.read_text().splitlines():
        corners = np.array(line.split()[1:], dtype=float).reshape(-1, 2) * (width, height)
        draw.polygon([tuple(corner) for corner in corners], fill=255, outline=255)
    return canvas


def outline_mask(sample: Sample, width: int, height: int) -> np.ndarray:
    """The defect's outline at the model's input size, uint8 ``[H, W]`` of 0 and 1."""
    if sample.outline is None:
        return np.zeros((height, width), dtype=np.uint8)
    if sample.outline.suffix == ".txt":
        with Image.open(sample.path) as opened:
            mask = polygon_mask(sample.outline, *opened.size)
    else:
        mask = Image.open(sample.outline).convert("L").point(lambda v: 255 if v else 0)
    reduced = np.asarray(mask.resize((width, height), Image.Resampling.BOX))
    return (reduced > 32).astype(np.uint8)


def decode(samples: list[Sample], preprocessing: Preprocessing) -> Pixels:
    """Loads and resizes every sample once."""
    size = (preprocessing.width, preprocessing.height)
    images = np.stack([imaging.load_resized(s.path, preprocessing) for s in samples])
    outlines = np.stack([outline_mask(s, *size) for s in samples])
    return Pixels(tuple(samples), images, outlines)


def assign_folds(samples: list[Sample], folds: int, seed: int) -> dict[str, int]:
    """Item -> fold. Items with as many defects each are dealt out evenly, in seeded order."""
    defects = Counter({item: 0 for item in {s.item for s in samples}})
    defects.update(s.item for s in samples if s.is_defect)
    by_count: dict[int, list[str]] = defaultdict(list)
    for item in sorted(defects):
        by_count[defects[item]].append(item)
    rng = np.random.default_rng(seed)
    assignment: dict[str, int] = {}
    for count in sorted(by_count, reverse=True):
        for item in rng.permutation(by_count[count]):
            assignment[str(item)] = len(assignment) % folds
    return assignment
