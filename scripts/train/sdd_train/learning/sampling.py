"""Which images make up a training batch, and their random versions."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..data.dataset import Pixels
from .augmentation import augment
from .transplant import Donor, transplant

PART_ASPECT = 2.5
"""Height of the photographed part over its width: 500 x 1235 to 1285 pixels in KolektorSDD."""


@dataclass(frozen=True)
class Mixture:
    """What a batch is made of: half defects, half sound surfaces.

    ``synthetic_share`` of either half is drawn; ``transplant_share`` of the defects
    is a sound surface of the training set with the defect of another image.
    """

    batch_size: int
    synthetic_share: float
    transplant_share: float


@dataclass(frozen=True)
class Batch:
    """uint8 ``images [B, H, W]``, uint8 ``outlines [B, H, W]`` of 0 and 1, float32 ``labels [B]`` (1: defect)."""

    images: np.ndarray
    outlines: np.ndarray
    labels: np.ndarray


class Sampler:
    """Draws balanced batches; every image comes once before one comes again."""

    def __init__(self, pixels: Pixels, mixture: Mixture, rng: np.random.Generator) -> None:
        self.pixels = pixels
        self.mixture = mixture
        self.rng = rng
        self.pools = {
            (defect, synthetic): [
                i
                for i, s in enumerate(pixels.samples)
                if s.is_defect == defect and s.is_synthetic == synthetic
            ]
            for defect in (True, False)
            for synthetic in (True, False)
        }
        self.queues: dict[tuple[bool, bool], list[int]] = {key: [] for key in self.pools}
        prepared = (Donor.prepare(pixels.images[i], pixels.outlines[i]) for i in self.pools[True, False])
        self.donors = [donor for donor in prepared if donor is not None]

    def _next(self, key: tuple[bool, bool]) -> int:
        if not self.queues[key]:
            self.queues[key] = self.rng.permutation(self.pools[key]).tolist()
        return self.queues[key].pop()

    def _pick(self, defect: bool) -> int:
        wanted = self.rng.random() < self.mixture.synthetic_share
        return self._next((defect, wanted and bool(self.pools[defect, True])))

    def _example(self, defect: bool) -> tuple[np.ndarray, np.ndarray]:
        index = self._pick(defect)
        image, outline = self.pixels.images[index], self.pixels.outlines[index]
        if defect and self.donors and self.rng.random() < self.mixture.transplant_share:
            sound = self.pixels.images[self.rng.choice(self.pools[False, False])]
            image, outline = transplant(sound, self.donors[self.rng.integers(len(self.donors))], self.rng)
        return augment(image, outline, PART_ASPECT, self.rng)

    def batch(self) -> Batch:
        half = self.mixture.batch_size // 2
        labels = [True] * half + [False] * half
        images, outlines = zip(*(self._example(defect) for defect in labels))
        return Batch(np.stack(images), np.stack(outlines), np.array(labels, dtype=np.float32))

    def batches(self, count: int) -> Iterator[Batch]:
        """``count`` batches, the next one being made while the last one is used."""
        with ThreadPoolExecutor(max_workers=1) as worker:
            coming = worker.submit(self.batch)
            for left in range(count - 1, -1, -1):
                batch = coming.result()
                if left:
                    coming = worker.submit(self.batch)
                yield batch
