"""An exported model on many images at once: files or pictures in, the file's own outputs out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from ..data import imaging
from .inference import Classifier


class ServedModel:
    """An ONNX file, read by its own description."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self.classifier = Classifier(path, threads)
        self.metadata = self.classifier.document
        self.preprocessing = self.classifier.preprocessing

    def load(self, path: Path) -> Image.Image:
        """An image file in its own size, with the model's colors."""
        return imaging.load(path, self.preprocessing.color, self.preprocessing.bit_depth)

    def predict(self, paths: Iterable[Path]) -> tuple[np.ndarray, np.ndarray]:
        """Image files -> ``probability [M, C]`` and ``embedding [M, D]``."""
        return self.predict_images(self.load(path) for path in paths)

    def predict_images(self, images: Iterable[Image.Image], batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """The same of loaded images, which are resized here; at most a batch of them is kept."""
        rows = [self.classifier.outputs(batch) for batch in self._batches(iter(images), batch_size)]
        probability, embedding = zip(*rows)
        return np.concatenate(probability), np.concatenate(embedding)

    def _batches(self, images: Iterator[Image.Image], size: int) -> Iterator[np.ndarray]:
        while batch := [self.tensor(image) for image in islice(images, size)]:
            yield np.stack(batch)

    def tensor(self, image: Image.Image) -> np.ndarray:
        """A loaded image -> float32 ``[3, H, W]``, one row of the model's input."""
        return imaging.normalize(imaging.resized(image, self.preprocessing), self.preprocessing)
