"""An exported model as the service sees it: ONNX file in, probabilities and embeddings out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from . import imaging, metadata
from .imaging import Preprocessing

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
OUTPUTS = ("probability", "embedding")


class ServedModel:
    """An ONNX file, read by its own metadata."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self.metadata = metadata.read(onnx.load(path))
        self.preprocessing = Preprocessing.from_metadata(self.metadata["preprocessing"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def load(self, path: Path) -> Image.Image:
        """An image file in its own size, with the model's colors."""
        return imaging.load(path, self.preprocessing.color)

    def predict(self, paths: Iterable[Path]) -> tuple[np.ndarray, np.ndarray]:
        """Image files -> ``probability [M, C]`` and ``embedding [M, D]``."""
        return self.predict_images(self.load(path) for path in paths)

    def predict_images(self, images: Iterable[Image.Image], batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """The same of loaded images, which are resized here; at most a batch of them is kept."""
        rows: dict[str, list[np.ndarray]] = {name: [] for name in OUTPUTS}
        batch: list[np.ndarray] = []

        def run() -> None:
            for name, output in zip(OUTPUTS, self.session.run(OUTPUTS, {"image": np.stack(batch)}), strict=True):
                rows[name].append(output)
            batch.clear()

        for image in images:
            batch.append(self.tensor(image))
            if len(batch) == batch_size:
                run()
        if batch:
            run()
        return np.concatenate(rows["probability"]), np.concatenate(rows["embedding"])

    def tensor(self, image: Image.Image) -> np.ndarray:
        """A loaded image -> float32 ``[3, H, W]``, one row of the model's input."""
        wanted = self.preprocessing
        resized = imaging.resize(image, wanted.width, wanted.height, wanted.filter)
        return imaging.normalise(np.asarray(resized), wanted)


def images_below(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, sorted."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FileNotFoundError(f"{folder}: expected images, found none")
    return found
