"""An exported model as the service sees it: ONNX file in, probabilities and embeddings out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from . import imaging, metadata
from .imaging import Preprocessing

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


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

    def predict(self, paths: list[Path], batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """Image files -> ``probability [M, C]`` and ``embedding [M, D]``."""
        rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for start in range(0, len(paths), batch_size):
            batch = [imaging.preprocess(p, self.preprocessing) for p in paths[start : start + batch_size]]
            outputs = self.session.run(["probability", "embedding"], {"image": np.stack(batch)})
            for row, output in zip(rows, outputs):
                row.append(output)
        return np.concatenate(rows[0]), np.concatenate(rows[1])


def images_below(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, sorted."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FileNotFoundError(f"{folder}: expected images, found none")
    return found
